import type { Share } from '../util/share.js';
import { type FailureBudget, failuresAllowed } from './failure-budget.js';

/** One wave of a run, and whose turn it is in it: the tenants whose position is beyond `after` and not beyond `upTo`. */
export interface Wave {
  /** Counted from 1. */
  readonly number: number;
  readonly of: number;
  readonly tenants: number;
  readonly after: number;
  readonly upTo: number;
}

/**
 * How many tenants each wave has, where `asked` says how far each reaches: `1,10%,100%` over 50 tenants are 1, 4 and 45. A share is rounded
 * up, one that adds nobody is no wave, and the last one reaches everybody, said or not.
 */
export function planWaveSizes(asked: readonly Share[], tenants: number): readonly number[] {
  const sizes: number[] = [];
  let reached = 0;
  for (const share of [...asked, { type: 'percent', percent: 100 } as const]) {
    const reach = Math.min(tenants, share.type === 'tenants' ? share.tenants : Math.ceil((tenants * share.percent) / 100));
    if (reach > reached) sizes.push(reach - reached);
    reached = Math.max(reached, reach);
  }
  return sizes;
}

/**
 * Where a tenant stands in the order in which waves take them: at or above 0 and below 1, the same in every run, and whoever else there
 * is. So the canaries are the same tenants with each deploy, and neither the oldest ones nor all on one cluster.
 */
export function positionOf(tenant: string): number {
  // Two multiplicative hashes of 32 bits, mixed (cyrb53): node:crypto costs more to load than this to run for a fleet.
  let [high, low] = [0x9e3779b9, 0x41c6ce57];
  for (let index = 0; index < tenant.length; index += 1) {
    const unit = tenant.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return ((low >>> 0) * 2 ** 21 + (high >>> 11)) / 2 ** 53;
}

/** @param positions of every tenant with work, in any order; it is sorted here. */
export function planWaves(asked: readonly Share[], positions: Float64Array): readonly Wave[] {
  positions.sort();
  const sizes = planWaveSizes(asked, positions.length);
  let reached = 0;
  return sizes.map((tenants, index) => {
    const after = positions[reached - 1] ?? -1;
    reached += tenants;
    // Who comes along meanwhile is in some wave too.
    const upTo = index === sizes.length - 1 ? 1 : (positions[reached - 1] ?? 1);
    return { number: index + 1, of: sizes.length, tenants, after, upTo };
  });
}

/**
 * How many tenants of a wave may fail before the run stops; null: this wave doesn't stop it, whatever `--max-failures` says of the whole run.
 * None, until the last wave, where nothing is said. A share is taken of each wave. A number is meant for the fleet, so the first wave tolerates none.
 */
export function tolerateFailures({ number, of, tenants }: Wave, budget: FailureBudget | null): number | null {
  if (number === of) return null;
  if (budget === null || (budget.type === 'tenants' && number === 1)) return 0;
  return failuresAllowed(budget, tenants);
}
