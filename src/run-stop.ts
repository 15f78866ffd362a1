/**
 * Why a run starts no more tenants. `interrupted`, `terminated`: it was told to. `max-failures`: too many failed in the whole run.
 * `cancelled`: by `run cancel`, from elsewhere. `wave-failed`: too many failed in a wave. `gate`: the hook between two waves refused. `resources`: a server is out of them.
 */
export const DRAIN_REASONS = [
  'interrupted',
  'terminated',
  'max-failures',
  'wave-failed',
  'gate',
  'resources',
  'lease-lost',
  'cancelled',
] as const;

export type DrainReason = (typeof DRAIN_REASONS)[number];

/** What kept tenants from being started. */
export interface RunStop {
  readonly reason: DrainReason;
  /** The wave that stopped the run, or in which it was stopped, counted from 1, and how many there are; null where it has none. */
  readonly wave: number | null;
  readonly waves: number | null;
  /** What a gate gave as its reason, or how many of the wave failed. */
  readonly detail: string | null;
  readonly notStarted: number;
}
