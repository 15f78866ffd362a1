import { TenancyError } from '../errors.js';

/** How many tenants may fail before no further one is started: a number, or a share of those selected. */
export type FailureBudget = { readonly type: 'tenants'; readonly tenants: number } | { readonly type: 'percent'; readonly percent: number };

/** Reads `--max-failures`: `5` or `10%`. @throws TenancyError `TENANCY_OPTION_REJECTED`. */
export function parseFailureBudget(raw: string): FailureBudget {
  const match = /^(\d+)(%)?$/.exec(raw.trim());
  const amount = Number(match?.[1]);
  if (!match || (match[2] && amount > 100)) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: '--max-failures',
      value: raw,
      expected: 'a number of tenants (5) or a share of those selected (10%)',
    });
  }
  return match[2] ? { type: 'percent', percent: amount } : { type: 'tenants', tenants: amount };
}

/** True once more tenants have failed than the budget allows: `0` stops at the first. */
export function isBudgetSpent(budget: FailureBudget | null, failures: number, selected: number): boolean {
  if (!budget || failures === 0) return false;
  const allowed = budget.type === 'tenants' ? budget.tenants : Math.floor((selected * budget.percent) / 100);
  return failures > allowed;
}
