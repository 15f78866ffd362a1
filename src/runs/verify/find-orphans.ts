import type { ListedHome, Marker, TenantDriver } from '../../drivers/driver.js';
import type { Tenant, TenantId } from '../../tenant.js';
import type { StrayScope } from './find-strays.js';
import { isSeenFromHere } from './seen-from-here.js';

const PAGE = 200;
/** Of homes that only look like a tenant's. */
const LOOKALIKES = 20;

/** Homes that carry our mark and are nobody's, and some that only look like a tenant's. */
export async function findOrphans(scope: StrayScope): Promise<void> {
  const { run, driver } = scope;
  const looksLikeHome = createLookalikeTest(scope);
  let lookalikes = 0;
  for (let after: string | null = null; ; ) {
    // The server before the registry: what is entered and made meanwhile is known there by then.
    const page: Awaited<ReturnType<TenantDriver['list']>> = await driver.list({ after, limit: PAGE });
    const ours = page.flatMap(({ marker, ...home }) => (marker?.registry === run.registry.id ? [{ ...home, marker }] : []));
    const known = await findTenants(
      scope,
      ours.map(({ marker }) => marker.tenant),
    );
    for (const home of ours) {
      const owner = known.get(home.marker.tenant) ?? null;
      if (owner === null || !(await isHomeOf(owner, scope, home))) await tellOrphan(scope, home, owner);
    }
    for (const { name, marker, isSetAside = false } of page) {
      if (marker !== null || isSetAside || !looksLikeHome(name) || name === scope.registryDatabase || lookalikes >= LOOKALIKES) continue;
      if (await tellLookalike(scope, name)) lookalikes += 1;
    }
    after = page.at(-1)?.name ?? null;
    if (after === null || page.length < PAGE) return;
  }
}

/** Those of these ids that there are, by id. */
export async function findTenants({ run: { registry } }: StrayScope, ids: readonly string[]): Promise<ReadonlyMap<string, Tenant>> {
  if (ids.length === 0) return new Map();
  const found = await registry.listTenants({ ids: [...new Set(ids)] }, { after: null, limit: ids.length });
  return new Map(found.map((tenant) => [tenant.id, tenant]));
}

type MarkedHome = ListedHome & { readonly marker: Marker };

/** A marker that differs only in its operation is for the tenant's own check to tell; what is set aside is of one life of the tenant alone. */
async function isHomeOf(tenant: Tenant, scope: StrayScope, { name, marker, isSetAside = false }: MarkedHome): Promise<boolean> {
  if (tenant.status === 'deprovisioned' || tenant.driver !== scope.driver.name) return false;
  const isIt = isSetAside ? tenant.homeOperationId === marker.operation : tenant.name === name;
  return isIt && isSeenFromHere(scope, tenant.cluster);
}

async function tellOrphan(
  { cluster, driver, book, run, signal }: StrayScope,
  { name, marker, isSetAside = false }: MarkedHome,
  owner: Tenant | null,
): Promise<void> {
  const target = { name, marker };
  // What is set aside is closed, perhaps, and stays so: it isn't entered.
  const presence = await driver.probe(target, { isFromOutside: isSetAside });
  // It may have been on its way out as the server was asked.
  if (presence.status !== 'ours' && presence.status !== 'partial' && presence.status !== 'retained') return;
  const kind = driver.capabilities.isSharedDatabase ? 'schema' : 'database';
  await book.add(
    { tenant: owner?.id ?? null, cluster, driver: driver.name, name },
    {
      code: 'orphan-home',
      message: `the ${kind} ${name} on cluster ${cluster} carries the mark of tenant ${marker.tenant}, ${describeOwner(owner)}`,
      repair: isSetAside
        ? 'look into it, then drop it by hand; or give it the name of a home again, and run the same command again'
        : `look into it, then drop it by hand; or take its mark off (${driver.unmarkCommand(name)}) and bring it in with \`tenancy registry adopt\``,
      // Nothing is lost with one that nothing was ever put into.
      ...('isEmpty' in presence && presence.isEmpty
        ? {
            fix: async () => {
              const again = await driver.probe(target);
              const now = await run.registry.findTenant(marker.tenant);
              const isStill = (again.status === 'ours' || again.status === 'partial') && again.isEmpty;
              if (!isStill || now?.homeOperationId === marker.operation) throw new Error('it is not as it was any more');
              await driver.drop(target, signal);
              return 'dropped: it was empty';
            },
          }
        : {}),
    },
  );
}

export function describeOwner(owner: Tenant | null): string {
  if (owner === null) return 'which the registry does not know';
  return owner.status === 'deprovisioned' ? 'which is deprovisioned' : `which lives in ${owner.name} on ${owner.cluster}`;
}

async function tellLookalike(scope: StrayScope, name: string): Promise<boolean> {
  const { cluster, driver, book, run } = scope;
  const kind = driver.capabilities.isSharedDatabase ? 'schema' : 'database';
  // One that is a tenant's has lost its mark, which its own check tells.
  const marker = { tenant: '', registry: run.registry.id, operation: '' };
  const presence = await driver.probe({ name, marker });
  if (presence.status !== 'unmarked') return false;
  const id = idOf(run.config, driver, cluster, name);
  if (id !== null && (await isTenants(scope, id))) return false;
  await book.add(
    { tenant: null, cluster, driver: driver.name, name },
    {
      code: 'home-lookalike',
      message: `the ${kind} ${name} on cluster ${cluster} is called as a tenant's would be, and carries no mark`,
      repair: 'if it is one: `tenancy registry adopt` brings it in',
    },
  );
  return true;
}

/** Names are in lower case, and ids unique without it. */
async function isTenants({ run: { registry } }: StrayScope, id: string): Promise<boolean> {
  for (const known of [id, ...(await registry.suggestTenants(id)).filter((other) => other.toLowerCase() === id.toLowerCase())]) {
    const owner = await registry.findTenant(known);
    if (owner !== null && owner.status !== 'deprovisioned') return true;
  }
  return false;
}

const PROBE = 'tenancyprobe';

/** What stands before and behind the id in the names that the config's placement gives, where it can be told. */
function readPattern(
  { place }: StrayScope['run']['config'],
  driver: TenantDriver,
  cluster: string,
): { readonly before: string; readonly behind: string } | null {
  try {
    const placed = place({ id: PROBE as TenantId, labels: {} });
    const at = placed.name.indexOf(PROBE);
    if (placed.cluster !== cluster || placed.driver !== driver.name || at < 0) return null;
    const pattern = { before: placed.name.slice(0, at), behind: placed.name.slice(at + PROBE.length) };
    // Without either, everything would look like one.
    return pattern.before === '' && pattern.behind === '' ? null : pattern;
  } catch {
    return null;
  }
}

function idOf(config: StrayScope['run']['config'], driver: TenantDriver, cluster: string, name: string): string | null {
  const pattern = readPattern(config, driver, cluster);
  return pattern === null ? null : name.slice(pattern.before.length, name.length - pattern.behind.length);
}

function createLookalikeTest({ run: { config }, driver, cluster }: StrayScope): (name: string) => boolean {
  const pattern = readPattern(config, driver, cluster);
  if (pattern === null) return () => false;
  const { before, behind } = pattern;
  return (name) => name.startsWith(before) && name.endsWith(behind) && name.length > before.length + behind.length;
}
