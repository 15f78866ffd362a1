export const TENANT_OUTCOMES = ['applied', 'up-to-date', 'failed', 'unverified', 'unknown', 'skipped', 'cancelled', 'not-started'] as const;

/**
 * What became of one tenant in a run.
 * `unverified`: the hook ended well but the tenant did not reach the target; counts as failed.
 * `unknown`: a step that can't be probed was interrupted; counts as failed.
 * `skipped`: not in a state for this command. `cancelled`: aborted in flight. `not-started`: never reached.
 */
export type TenantOutcomeType = (typeof TENANT_OUTCOMES)[number];

export type OutcomeCounts = Readonly<Record<TenantOutcomeType, number>>;

/** Why a tenant failed, for people and machines. Carries no secret. */
export interface OutcomeError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** The step or hook that failed: create, migrate, seed, drop… */
  readonly hook: string | null;
  readonly retryable: boolean;
  /** Path of the tenant's log file, where a hook wrote one. */
  readonly log: string | null;
}

export interface TenantOutcome {
  readonly tenant: string;
  readonly cluster: string;
  readonly outcome: TenantOutcomeType;
  /** How often it was tried in this run; 0 when never started. */
  readonly attempts: number;
  /** Newest migration before and after; null where there was none, or it isn't known. */
  readonly from: string | null;
  readonly to: string | null;
  readonly ms: number;
  readonly error?: OutcomeError | undefined;
}
