import type { LeaseKeeper } from '../lifecycle/leases.js';
import type { LeaseGrant } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';

export interface LeasedTenant {
  readonly tenant: Tenant;
  /** The status that it was selected in; it may have another by now. */
  readonly listedAs: Tenant['status'];
  /** What the first try for its lease gave; a held one is waited for when its turn comes. */
  readonly grant: LeaseGrant;
}

/** By cluster, whose lease a run has taken ahead of the work and who was not started. */
export interface LeasesAhead {
  on(cluster: string): Set<string>;
  /** Lets others have them. @param clusters @default all */
  giveBack(clusters?: readonly string[]): Promise<void>;
  /** Settles once nothing is being given back any more: a tenant whose turn comes meanwhile takes its lease anew after that. */
  givingBack(): Promise<unknown>;
}

export function createLeasesAhead(leases: LeaseKeeper): LeasesAhead {
  const ahead = new Map<string, Set<string>>();
  let givingBack: Promise<unknown> = Promise.resolve();
  return {
    on: (cluster) => {
      const known = ahead.get(cluster) ?? new Set();
      ahead.set(cluster, known);
      return known;
    },
    giveBack: async (clusters = [...ahead.keys()]) => {
      const ids = clusters.flatMap((cluster) => [...(ahead.get(cluster) ?? [])]).filter((id) => leases.holds(id));
      if (ids.length === 0) return;
      givingBack = Promise.all([givingBack.catch(() => undefined), leases.release(ids)]);
      await givingBack;
    },
    givingBack: () => givingBack,
  };
}

/**
 * Takes leases a handful at a time, one handful ahead of the work: a tenant's turn then costs no round trip to the registry.
 * Never more than two handfuls are held beyond those in flight, so that other processes are not kept from many tenants.
 */
export async function* leaseAhead(
  tenants: AsyncIterable<Tenant>,
  leases: LeaseKeeper,
  options: {
    readonly handful: number;
    /** None are taken while the run drains or is paused. */
    readonly isIdle: () => boolean;
    /** Those that were granted, until somebody takes them out. */
    readonly ahead: Set<string>;
  },
): AsyncGenerator<LeasedTenant> {
  let next: Promise<LeasedTenant[]> | null = null;
  const source = tenants[Symbol.asyncIterator]();

  async function takeHandful(): Promise<LeasedTenant[]> {
    const taken: Tenant[] = [];
    while (taken.length < options.handful) {
      const { done, value } = await source.next();
      if (done) break;
      taken.push(value);
    }
    // Nobody will work on these now: they are passed on without a lease, to be counted, or leased when their turn comes.
    if (taken.length === 0 || options.isIdle())
      return taken.map((tenant) => ({ tenant, listedAs: tenant.status, grant: { id: tenant.id, status: 'missing' } }));
    const grants = await leases.tryAcquire(taken.map(({ id }) => id));
    return taken.map((tenant, index) => {
      const grant = grants[index] as LeaseGrant;
      if (grant.status === 'granted') options.ahead.add(tenant.id);
      return { tenant: grant.status === 'granted' ? grant.tenant : tenant, listedAs: tenant.status, grant };
    });
  }

  next = takeHandful();
  for (;;) {
    const handful: LeasedTenant[] = await next;
    if (handful.length === 0) return;
    next = takeHandful();
    // A failure is met when its turn comes, not as an unhandled rejection before.
    next.catch(() => undefined);
    yield* handful;
  }
}
