import type { OutcomeCounts, TenantOutcome, TenantOutcomeType } from '../outcome.js';
import { TENANT_OUTCOMES } from '../outcome.js';

/** Counts of outcomes and every tenant that failed; the only memory a run keeps of tenants that ended. */
export class Tally {
  readonly #counts: Record<TenantOutcomeType, number>;
  readonly #failed: TenantOutcome[] = [];

  constructor() {
    this.#counts = Object.fromEntries(TENANT_OUTCOMES.map((type) => [type, 0])) as Record<TenantOutcomeType, number>;
  }

  add(outcome: TenantOutcome): void {
    this.#counts[outcome.outcome] += 1;
    if (isFailure(outcome.outcome)) this.#failed.push(outcome);
  }

  /** What the same run had come to before it was interrupted. */
  takeUp({ counts, failed }: { readonly counts: OutcomeCounts; readonly failed: readonly TenantOutcome[] }): void {
    for (const type of TENANT_OUTCOMES) this.count(type, counts[type]);
    this.#failed.push(...failed);
  }

  count(type: TenantOutcomeType, tenants: number): void {
    this.#counts[type] += tenants;
  }

  get counts(): OutcomeCounts {
    return { ...this.#counts };
  }

  get total(): number {
    return Object.values(this.#counts).reduce((sum, count) => sum + count, 0);
  }

  get failures(): number {
    return this.#failed.length;
  }

  /** Worst first: what nobody can know, then what can't be retried, then the rest; by id within each. */
  get failed(): readonly TenantOutcome[] {
    return [...this.#failed].sort((a, b) => severity(b) - severity(a) || (a.tenant < b.tenant ? -1 : 1));
  }
}

/** The outcomes that count as failed. */
export const FAILED_OUTCOMES = ['failed', 'unverified', 'unknown'] as const satisfies TenantOutcomeType[];

/** What a retry takes up again: all that a run did not bring to a good end. */
export const RETRIED_OUTCOMES: readonly TenantOutcomeType[] = [...FAILED_OUTCOMES, 'cancelled', 'not-started'];

export function isFailure(outcome: TenantOutcomeType): boolean {
  return (FAILED_OUTCOMES as readonly TenantOutcomeType[]).includes(outcome);
}

function severity(outcome: TenantOutcome): number {
  if (outcome.outcome === 'unknown') return 3;
  if (outcome.outcome === 'unverified') return 2;
  return outcome.error?.retryable ? 0 : 1;
}
