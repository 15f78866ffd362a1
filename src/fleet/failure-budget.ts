import { TenancyError } from '../errors.js';
import { readShare, type Share } from '../util/share.js';

/** How many tenants may fail before no further one is started: a number, or a share of those selected. */
export type FailureBudget = Share;

/** Reads `--max-failures`: `5` or `10%`. @throws TenancyError `TENANCY_OPTION_REJECTED`. */
export function parseFailureBudget(raw: string): FailureBudget {
  const budget = readShare(raw);
  if (budget !== null) return budget;
  throw new TenancyError('TENANCY_OPTION_REJECTED', {
    option: '--max-failures',
    value: raw,
    expected: 'a number of tenants (5) or a share of those selected (10%)',
  });
}

/** True once more tenants have failed than the budget allows: `0` stops at the first. */
export function isBudgetSpent(budget: FailureBudget | null, failures: number, selected: number): boolean {
  return budget !== null && failures > 0 && failures > failuresAllowed(budget, selected);
}

/** How many of so many tenants may fail. */
export function failuresAllowed(budget: FailureBudget, tenants: number): number {
  return budget.type === 'tenants' ? budget.tenants : Math.floor((tenants * budget.percent) / 100);
}
