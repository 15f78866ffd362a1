import type { ResolvedConfig } from '../config/types.js';
import type { FailureBudget } from '../fleet/failure-budget.js';
import { planWaveSizes } from '../fleet/waves.js';
import type { Run } from '../registry/registry.js';
import { formatShare, readShare, type Share } from '../util/share.js';
import type { RunSpec } from './execute-run.js';

/** How carefully a run goes: kept with it, as it was typed, so that a retry is as careful. */
export interface Caution {
  readonly maxFailures: FailureBudget | null;
  readonly waves: readonly Share[];
  readonly soakMs: number;
}

/** What is said, else what the config says. */
export function decideCaution(
  { defaults }: ResolvedConfig,
  { maxFailures, waves, soakMs }: { readonly [Name in keyof Caution]?: Caution[Name] | null | undefined },
): Caution {
  return { maxFailures: maxFailures ?? null, waves: waves ?? defaults.waves, soakMs: soakMs ?? defaults.soakMs };
}

/** For `executeRun`. */
export function planCaution({ hooks }: ResolvedConfig, { maxFailures, waves, soakMs }: Caution): Pick<RunSpec, 'maxFailures' | 'waves'> {
  return { maxFailures, waves: { sizes: waves, soakMs, gate: hooks.gate ?? null } };
}

/** For `run.started`: how many tenants each wave will have; empty where there are no waves. */
export function sizeWaves({ waves }: Caution, { selected, upToDate }: Pick<RunSpec, 'selected' | 'upToDate'>): readonly number[] {
  return waves.length === 0 ? [] : planWaveSizes(waves, selected - upToDate);
}

export function keepCaution({ maxFailures, waves, soakMs }: Caution): Readonly<Record<string, unknown>> {
  return {
    maxFailures,
    waves: waves.map(formatShare),
    soakMs,
  };
}

/** Of a run that kept none, nothing: what the config says holds. */
export function readCaution({ options }: Run): Partial<Caution> {
  const { maxFailures, waves, soakMs } = options;
  return {
    ...(maxFailures === undefined ? {} : { maxFailures: maxFailures as FailureBudget | null }),
    ...(Array.isArray(waves) ? { waves: waves.map((wave) => readShare(String(wave))).filter((wave) => wave !== null) } : {}),
    ...(typeof soakMs === 'number' ? { soakMs } : {}),
  };
}
