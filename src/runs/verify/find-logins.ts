import type { LoginDriver, MarkedLogins } from '../../drivers/driver.js';
import type { Tenant } from '../../tenant.js';
import { describeOwner, findTenants } from './find-orphans.js';
import type { StrayScope } from './find-strays.js';

const PAGE = 200;

/**
 * Logins that carry our mark, of tenants that the registry doesn't know any more: their passwords are out there, and a home of that name would be open to whatever
 * they have been left. Looked for once on each cluster, by any of its drivers: roles are the server's.
 */
export async function findOrphanLogins(scope: StrayScope): Promise<void> {
  const { run, driver } = scope;
  const { logins } = driver;
  if (logins === undefined) return;
  // The server before the registry: what is entered and made meanwhile is known there by then.
  const marked = await logins.listMarked(run.registry.id);
  const suspected: { readonly operation: string; readonly owner: Tenant | null }[] = [];
  for (let from = 0; from < marked.length; from += PAGE) {
    const page = marked.slice(from, from + PAGE);
    const known = await findTenants(
      scope,
      page.map(({ marker }) => marker.tenant),
    );
    for (const { marker } of page) {
      const owner = known.get(marker.tenant) ?? null;
      if (!isLifeOf(owner, marker.operation)) suspected.push({ operation: marker.operation, owner });
    }
  }
  if (suspected.length === 0) return;
  // They may have been on their way out as the server was asked.
  const still = new Map((await logins.listMarked(run.registry.id)).map((each) => [each.marker.operation, each]));
  for (const { operation, owner } of suspected) {
    const found = still.get(operation);
    if (found !== undefined) await tell(scope, logins, found, owner);
  }
}

function isLifeOf(owner: Tenant | null, operation: string): boolean {
  return owner !== null && owner.status !== 'deprovisioned' && owner.homeOperationId === operation;
}

async function tell(scope: StrayScope, logins: LoginDriver, found: MarkedLogins, owner: Tenant | null): Promise<void> {
  const { cluster, driver, book } = scope;
  const { names, marker, isUnused } = found;
  const name = names[0] ?? marker.operation;
  const what = names.length === 1 ? `the login ${name}` : `the logins ${names.join(', ')}`;
  const carry = names.length === 1 ? 'carries' : 'carry';
  const used = isUnused ? '' : '; there is something that it has rights on, or somebody who uses it';
  await book.add(
    { tenant: owner?.id ?? null, cluster, driver: owner?.driver ?? driver.name, name },
    {
      code: 'orphan-login',
      message: `${what} on cluster ${cluster} ${carry} the mark of tenant ${marker.tenant}, ${describeOwner(owner)}${used}`,
      repair: isUnused
        ? '`tenancy tenant verify --all --fix` drops it'
        : 'find out what connects by it and which home it has; then drop both by hand, or let it be until the home is a tenant’s again',
      ...(isUnused ? { fix: () => dropUnused(scope, logins, found, owner) } : {}),
    },
  );
}

/** Under the lease of the tenant, where there is one: nobody makes it another login meanwhile. */
async function dropUnused({ run, signal }: StrayScope, logins: LoginDriver, found: MarkedLogins, owner: Tenant | null): Promise<string> {
  const { marker, names, home } = found;
  const granted = owner === null ? null : await run.leases.acquire(owner.id, run.limits.leaseWaitMs, signal);
  try {
    const now = granted?.tenant ?? (await run.registry.findTenant(marker.tenant));
    if (isLifeOf(now, marker.operation)) throw new Error('its tenant is there again');
    const again = (await logins.listMarked(run.registry.id)).find((each) => each.marker.operation === marker.operation);
    if (again?.isUnused === false) throw new Error('it is used meanwhile');
    await logins.drop({ name: home ?? names[0] ?? '', marker }, signal);
    return `dropped ${names.join(', ')}: nothing was left that they had rights on`;
  } finally {
    if (owner !== null && granted !== null) await run.leases.release([owner.id]);
  }
}
