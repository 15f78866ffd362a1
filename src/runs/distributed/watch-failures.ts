import { isBudgetSpent } from '../../fleet/failure-budget.js';
import { FAILED_OUTCOMES } from '../../fleet/tally.js';
import type { Registry, Run } from '../../registry/registry.js';
import { readCaution } from '../caution.js';
import type { Draining } from '../draining.js';

const COUNT_MS = 1_000;

/** Of the tenants of a run that several workers carry out. */
export interface FailureWatch {
  /** Drains the run where as many have failed as it may lose, whoever worked on them. */
  count(): Promise<void>;
  close(): void;
}

/** Counts each second, besides when it is asked to. */
export function watchFailures(registry: Registry, kept: Run, draining: Draining): FailureWatch {
  const maxFailures = readCaution(kept).maxFailures ?? null;
  const counting = setInterval(() => void count().catch(() => undefined), COUNT_MS);

  async function count(): Promise<void> {
    if (maxFailures === null || draining.signal.aborted) return;
    const counts = await registry.countOutcomes(kept.id);
    const failures = FAILED_OUTCOMES.reduce((sum, type) => sum + counts[type], 0);
    if (isBudgetSpent(maxFailures, failures, kept.selected)) draining.drain('max-failures');
  }

  return { count, close: () => clearInterval(counting) };
}
