import { TenancyError } from '../errors.js';
import type { LeaseGrant, Registry } from '../registry/registry.js';
import { sleep } from '../util/abort.js';
import { createBatcher } from '../util/batcher.js';
import { ageMs, type Moment, monotonicMs, takeMoment } from '../util/clock.js';

/** How long a lease lasts without a heartbeat, by the registry's clock. */
export const LEASE_MS = 15_000;
const HEARTBEAT_MS = LEASE_MS / 3;
/** What the registry said so recently need not be asked again: the lease lasts for longer than that still. A heartbeat that comes in time keeps it so. */
const SURE_MS = HEARTBEAT_MS + 1_000;
/** From this age on a lease that could not be renewed is taken for lost: what is under way has to stop before another begins. */
const LOST_AFTER_MS = LEASE_MS - 1_000;

type Granted = Extract<LeaseGrant, { status: 'granted' }>;

/** Holds this process's leases and keeps them alive. */
export interface LeaseKeeper {
  readonly owner: string;
  /** One try for each, in as few statements as there are batches. */
  tryAcquire(ids: readonly string[]): Promise<readonly LeaseGrant[]>;
  /** Waits up to `waitMs` for a tenant that another holds. @throws TenancyError `TENANCY_LOCK_HELD`, `TENANCY_TENANT_NOT_FOUND`. */
  acquire(id: string, waitMs: number, signal: AbortSignal): Promise<Granted>;
  /** Keeps the leases that somebody else asked for in this owner's name; `ask` is told what is held already. */
  keepTaken(ask: (known: readonly string[]) => Promise<readonly Granted[]>): Promise<readonly Granted[]>;
  holds(id: string): boolean;
  /** Aborts when the tenant's lease may have gone to somebody else. */
  watch(id: string): AbortSignal;
  /** Asks the registry whether the lease is still ours: before what no fence guards. @throws TenancyError `TENANCY_LEASE_LOST`. */
  confirm(id: string): Promise<void>;
  /** The same, unless the registry has said so a moment ago: for each of many. A process that stood still meanwhile does ask. @throws as `confirm` does */
  makeSure(id: string): Promise<void>;
  release(ids: readonly string[]): Promise<void>;
  /** The lease has been given back by other means (`recordOutcomes`). */
  forget(id: string): void;
  /** Gives back all that is still held. */
  close(): Promise<void>;
}

export function createLeaseKeeper(registry: Registry, identity: { readonly owner: string; readonly host: string }): LeaseKeeper {
  /** `sureAt`: when the registry was last asked, and said that it is ours. */
  const held = new Map<string, { readonly controller: AbortController; sureAt: Moment }>();
  let renewedAt = takeMoment();
  let timer: NodeJS.Timeout | null = null;
  let renewing: Promise<void> | null = null;
  let isClosed = false;

  const acquiring = createBatcher(
    (ids: readonly string[]) =>
      registry.acquireLeases(ids, { ...identity, ttlMs: LEASE_MS }).then((grants) => {
        const byId = new Map(grants.map((grant) => [grant.id, grant]));
        return ids.map((id) => byId.get(id) ?? ({ id, status: 'missing' } as const));
      }),
    { maxItems: 500 },
  );

  const confirming = createBatcher(
    async (ids: readonly string[]) => {
      const askedAt = takeMoment();
      const still = new Set(await registry.renewLeases(identity.owner, LEASE_MS));
      return ids.map((id) => {
        const lease = held.get(id);
        if (lease === undefined || !still.has(id)) return false;
        lease.sureAt = askedAt;
        return true;
      });
    },
    { maxItems: 500 },
  );

  async function confirm(id: string): Promise<void> {
    if (await confirming.add(id)) return;
    lose(id);
    throw new TenancyError('TENANCY_LEASE_LOST', { tenant: id });
  }

  /** @param askedAt before the registry was asked */
  function keep(grant: LeaseGrant, askedAt: Moment): void {
    if (grant.status !== 'granted') return;
    if (isClosed) {
      // Asked for before, granted after: nobody would ever renew it or give it back.
      void registry.releaseLeases(identity.owner, [grant.id]).catch(() => undefined);
      return;
    }
    if (held.size === 0) renewedAt = takeMoment();
    held.set(grant.id, { controller: new AbortController(), sureAt: askedAt });
    timer ??= setInterval(() => {
      // The last one is still waiting for its answer, which may take longer than a lease lasts.
      if (renewing && isOverdue()) loseAll();
      renewing ??= renew().finally(() => {
        renewing = null;
      });
    }, HEARTBEAT_MS).unref();
  }

  async function renew(): Promise<void> {
    const before = [...held];
    const askedAt = takeMoment();
    try {
      const still = new Set(await registry.renewLeases(identity.owner, LEASE_MS));
      renewedAt = askedAt;
      // Only what was held when the question was sent: a lease taken meanwhile is not in the answer.
      for (const [id, lease] of before) {
        if (still.has(id)) lease.sureAt = askedAt;
        else if (held.get(id) === lease) lose(id);
      }
    } catch {
      // The registry is out of reach for now; what counts is whether the leases can still be ours.
      if (isOverdue()) loseAll();
    }
  }

  function isOverdue(): boolean {
    return ageMs(renewedAt) > LOST_AFTER_MS;
  }

  function loseAll(): void {
    for (const id of held.keys()) lose(id);
  }

  function lose(id: string): void {
    held.get(id)?.controller.abort(new TenancyError('TENANCY_LEASE_LOST', { tenant: id }));
    held.delete(id);
  }

  return {
    owner: identity.owner,
    tryAcquire: async (ids) => {
      const askedAt = takeMoment();
      const grants = await Promise.all(ids.map((id) => acquiring.add(id)));
      for (const grant of grants) keep(grant, askedAt);
      return grants;
    },
    keepTaken: async (ask) => {
      const askedAt = takeMoment();
      const grants = await ask([...held.keys()]);
      for (const grant of grants) keep(grant, askedAt);
      return grants;
    },
    acquire: async (id, waitMs, signal) => {
      const deadlineMs = monotonicMs() + waitMs;
      for (let attempt = 0; ; attempt += 1) {
        const askedAt = takeMoment();
        const grant = await acquiring.add(id);
        keep(grant, askedAt);
        if (grant.status === 'granted') return grant;
        if (grant.status === 'missing') throw new TenancyError('TENANCY_TENANT_NOT_FOUND', { ids: [id], suggestions: [] });
        const leftMs = deadlineMs - monotonicMs();
        if (leftMs <= 0) {
          const { owner, host, since } = grant;
          throw new TenancyError('TENANCY_LOCK_HELD', { tenant: id, owner, host, since: since.toISOString() });
        }
        await sleep(Math.min(leftMs, 100 + Math.random() * Math.min(1_000, 100 * 2 ** attempt)), signal);
      }
    },
    holds: (id) => held.has(id),
    watch: (id) => held.get(id)?.controller.signal ?? AbortSignal.abort(new TenancyError('TENANCY_LEASE_LOST', { tenant: id })),
    confirm,
    makeSure: async (id) => {
      const lease = held.get(id);
      if (lease === undefined || ageMs(lease.sureAt) > SURE_MS) await confirm(id);
    },
    release: async (ids) => {
      for (const id of ids) held.delete(id);
      if (ids.length > 0) await registry.releaseLeases(identity.owner, ids);
    },
    forget: (id) => held.delete(id),
    close: async () => {
      isClosed = true;
      if (timer) clearInterval(timer);
      timer = null;
      await renewing;
      const ids = [...held.keys()];
      held.clear();
      if (ids.length > 0) await registry.releaseLeases(identity.owner, ids);
    },
  };
}
