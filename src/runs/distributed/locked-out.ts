import { TenancyError } from '../../errors.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { describeFailure } from '../../lifecycle/run-tenant.js';
import type { TenantOutcome } from '../../outcome.js';
import type { RunDistribution, TenantFilter } from '../../registry/registry.js';
import type { Tenant } from '../../tenant.js';
import { elapsedMs, monotonicMs } from '../../util/clock.js';

/** The tenants of one cluster that are in the hands of other commands. */
export interface LockedOut {
  /**
   * Ends those that were waited for during `--lease-wait`: as in one process, they have failed. To be asked where nobody else is to be had: whoever is
   * free comes first, and these are waited for meanwhile.
   */
  giveUp(): Promise<void>;
}

/** @param end settles before anybody looks again: one that has an end in the run is no longer waited for */
export function createLockedOut(
  run: RunContext,
  distribution: RunDistribution,
  filter: TenantFilter,
  end: (outcomes: readonly TenantOutcome[]) => Promise<void>,
): LockedOut {
  const sinceMs = new Map<string, number>();
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const held = await distribution.listHeldElsewhere(run.runId, filter);
    const ids = new Set<string>(held.map(({ id }) => id));
    for (const id of sinceMs.keys()) if (!ids.has(id)) sinceMs.delete(id);
    for (const id of ids) if (!sinceMs.has(id)) sinceMs.set(id, monotonicMs());
    const outcomes = held.map((tenant) => toFailed(tenant, elapsedMs(sinceMs.get(tenant.id) ?? monotonicMs())));
    await end(outcomes.filter(({ ms }) => ms >= run.limits.leaseWaitMs));
  }

  function toFailed(tenant: Tenant, ms: number): TenantOutcome {
    const { id, cluster, schemaVersion: from, lease } = tenant;
    const { owner = '', host = '', since } = lease ?? {};
    const error = new TenancyError('TENANCY_LOCK_HELD', { tenant: id, owner, host, since: since?.toISOString() ?? '' });
    return { tenant: id, cluster, outcome: 'failed', attempts: 1, from, to: null, ms, error: describeFailure(run, tenant, error, null) };
  }

  return {
    giveUp: () => {
      looking ??= look().finally(() => {
        looking = null;
      });
      return looking;
    },
  };
}
