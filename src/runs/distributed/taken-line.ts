import { LEASE_MS } from '../../lifecycle/leases.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { RunDistribution, TenantFilter } from '../../registry/registry.js';
import type { LeasedTenant } from '../leased-ahead.js';

/** The tenants of one cluster, as a worker takes them from the registry for the slots that it holds. */
export interface TakenLine {
  /** Slots that take from it. */
  slots: number;
  /** What the last tenant took; null before there was one. */
  lastMs: number | null;
  /** Null: nobody is to be had at this moment. */
  next(): Promise<LeasedTenant | null>;
  /** Whether anybody has no end in the run yet: asked once for all who want to know at the same time. */
  hasLeft(): Promise<boolean>;
  /** Gives up what was taken and not begun: others may have them meanwhile, and end them. */
  giveBack(): Promise<void>;
}

/** Tenants are taken ahead only where they are done in no time: elsewhere they would wait here while somebody else has a place free. */
const QUICK_MS = 500;

export function createTakenLine(run: RunContext, distribution: RunDistribution, filter: TenantFilter): TakenLine {
  const { runId, leases, host } = run;
  let ready: LeasedTenant[] = [];
  /** How far it has come in the order of ids. */
  let after: string | null = null;
  /** Slots that have nobody to work on. */
  let waiting = 0;
  let filling: Promise<boolean> | null = null;
  let asking: Promise<boolean> | null = null;

  const isQuick = (): boolean => line.lastMs !== null && line.lastMs < QUICK_MS;

  /** Asked once for all slots. False: there was nobody. */
  function fill(): Promise<boolean> {
    filling ??= takeMore().finally(() => {
      filling = null;
    });
    return filling;
  }

  async function takeMore(): Promise<boolean> {
    // From where it was to the end, then from the beginning: some may have been let go of since.
    for (const start of after === null ? [null] : [after, null]) {
      const limit = isQuick() ? 2 * line.slots : Math.max(1, waiting);
      const request = { filter, after: start, limit: Math.max(1, limit), lease: { owner: leases.owner, host, ttlMs: LEASE_MS } };
      const grants = await leases.keepTaken((known) => distribution.takeTenants(runId, { ...request, known }));
      after = grants.at(-1)?.id ?? null;
      ready.push(...grants.map((grant) => ({ tenant: grant.tenant, listedAs: grant.tenant.status, grant })));
      if (grants.length > 0) return true;
    }
    return false;
  }

  const line: TakenLine = {
    slots: 0,
    lastMs: null,
    next: async () => {
      for (;;) {
        const first = ready.shift();
        if (first) {
          // While this one is worked on, so that the next one's turn costs no round trip to the registry.
          if (isQuick() && ready.length < line.slots) void fill().catch(() => undefined);
          return first;
        }
        waiting += 1;
        const isAnyFound = await fill().finally(() => {
          waiting -= 1;
        });
        if (!isAnyFound) return ready.shift() ?? null;
      }
    },
    hasLeft: () => {
      asking ??= distribution.hasLeft(runId, filter).finally(() => {
        asking = null;
      });
      return asking;
    },
    giveBack: async () => {
      // What is just being taken would stay with nobody.
      await filling?.catch(() => undefined);
      const ids = ready.map(({ tenant }) => tenant.id);
      ready = [];
      await leases.release(ids.filter((id) => leases.holds(id)));
    },
  };
  return line;
}
