import type { ClusterEngine, LeftByTool } from '../../drivers/driver.js';
import type { Tenant } from '../../tenant.js';
import { describeOwner, findTenants } from './find-orphans.js';
import type { StrayScope } from './find-strays.js';

/**
 * What was made for the tools of a backup or a restore that was killed: until somebody backs the tenant up again, or removes it, there is a login that may
 * read everything. Looked for once on each cluster, by any of its drivers: roles are the server's.
 */
export async function findToolsLeft(scope: StrayScope, engine: ClusterEngine): Promise<void> {
  const { cluster, driver, book } = scope;
  // The server before the registry: who has a lease by then is at work.
  for (const left of await listLeft(scope)) {
    const { name, kind, marker } = left;
    const owner = (await findTenants(scope, [marker.tenant])).get(marker.tenant) ?? null;
    if (isAtWork(owner, left)) continue;
    // It may have been on its way out as the server was asked.
    if (!(await isStillThere(scope, left))) continue;
    // A login has nothing in it, and the other a whole copy.
    const isKept = owner === null && kind === 'database';
    await book.add(
      { tenant: owner?.id ?? null, cluster, driver: owner?.driver ?? driver.name, name },
      {
        code: 'draft-left',
        message: `the ${kind} ${name} on cluster ${cluster} was left by a backup or a restore of tenant ${marker.tenant}, ${describeOwner(owner)}`,
        repair: isKept ? 'look into it, then drop it by hand' : '`tenancy tenant verify --all --fix` drops it',
        ...(isKept ? {} : { fix: () => takeAway(scope, engine, left, owner) }),
      },
    );
  }
}

async function listLeft({ run, driver }: StrayScope): Promise<readonly LeftByTool[]> {
  return (await driver.backups?.listLeft?.(run.registry.id)) ?? [];
}

async function isStillThere(scope: StrayScope, { name }: LeftByTool): Promise<boolean> {
  return (await listLeft(scope)).some((left) => left.name === name);
}

/** Somebody is at it now, or will go on with it: then it is swept. */
function isAtWork(owner: Tenant | null, left: LeftByTool): boolean {
  if (owner === null || owner.homeOperationId !== left.marker.operation) return false;
  return (owner.lease !== null && !owner.lease.isExpired) || isUnfinished(owner, left);
}

function isUnfinished({ homeOperationId, operation, status }: Tenant, { marker }: LeftByTool): boolean {
  return homeOperationId === marker.operation && operation !== null && status !== 'retained';
}

/** Under the lease of the tenant, where there is one: nobody makes it anew meanwhile. */
async function takeAway(scope: StrayScope, engine: ClusterEngine, left: LeftByTool, owner: Tenant | null): Promise<string> {
  const { run, driver, signal } = scope;
  const { name, marker } = left;
  const granted = owner === null ? null : await run.leases.acquire(owner.id, run.limits.leaseWaitMs, signal);
  try {
    const home = granted?.tenant ?? null;
    if (home !== null && isUnfinished(home, left)) throw new Error('somebody goes on with it');
    const own = home === null ? driver : engine.driver(home.driver);
    await own.backups?.sweep({ name: home?.name ?? name, marker }, signal);
    if (await isStillThere(scope, left)) throw new Error('it is still there');
    return 'dropped';
  } finally {
    if (owner !== null && granted !== null) await run.leases.release([owner.id]);
  }
}
