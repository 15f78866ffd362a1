import type { Marker, TenantDriver } from '../../drivers/driver.js';
import { driversOf } from '../../drivers/names.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import { FindingBook, type FixMode } from '../../lifecycle/verify/finding-book.js';
import { dropLeftReferences } from '../../lifecycle/verify/reference-homes.js';
import type { Tenant } from '../../tenant.js';

const PAGE = 200;

/** The other direction: what is on the clusters and belongs to nobody that the registry knows. */
export async function findStrays(
  run: RunContext,
  { clusters, mode, signal }: { readonly clusters: readonly string[]; readonly mode: FixMode; readonly signal: AbortSignal },
): Promise<FindingBook> {
  const book = new FindingBook(run.emit, mode);
  for (const cluster of clusters) {
    const engine = await run.clusters.engine(cluster, 'verify');
    for (const name of driversOf(engine.engine)) {
      signal.throwIfAborted();
      const driver = engine.driver(name);
      await dropLeftReferences(run, cluster, driver, signal);
      await findOrphans(run, book, cluster, driver);
    }
  }
  return book;
}

async function findOrphans(run: RunContext, book: FindingBook, cluster: string, driver: TenantDriver): Promise<void> {
  for (let after: string | null = null; ; ) {
    // The server before the registry: what is entered and made meanwhile is known there by then.
    const page: Awaited<ReturnType<TenantDriver['list']>> = await driver.list({ after, limit: PAGE });
    const ours = page.flatMap(({ name, marker }) => (marker?.registry === run.registry.id ? [{ name, marker }] : []));
    const known = await findTenants(
      run,
      ours.map(({ marker }) => marker.tenant),
    );
    for (const { name, marker } of ours) {
      const owner = known.get(marker.tenant) ?? null;
      if (owner !== null && isHomeOf(owner, { cluster, driver: driver.name, name, marker })) continue;
      await tellOrphan(book, { cluster, driver, name, marker, owner });
    }
    after = page.at(-1)?.name ?? null;
    if (after === null || page.length < PAGE) return;
  }
}

async function findTenants({ registry }: RunContext, ids: readonly string[]): Promise<ReadonlyMap<string, Tenant>> {
  if (ids.length === 0) return new Map();
  const found = await registry.listTenants({ ids: [...new Set(ids)] }, { after: null, limit: ids.length });
  return new Map(found.map((tenant) => [tenant.id, tenant]));
}

interface Home {
  readonly cluster: string;
  readonly driver: Tenant['driver'];
  readonly name: string;
  readonly marker: Marker;
}

/** A marker that differs only in its operation is for the tenant's own check to tell. */
function isHomeOf(tenant: Tenant, { cluster, driver, name }: Home): boolean {
  return tenant.status !== 'deprovisioned' && tenant.cluster === cluster && tenant.driver === driver && tenant.name === name;
}

async function tellOrphan(
  book: FindingBook,
  { cluster, driver, name, marker, owner }: Omit<Home, 'driver'> & { readonly driver: TenantDriver; readonly owner: Tenant | null },
): Promise<void> {
  // It may have been on its way out as the server was asked.
  const presence = await driver.probe({ name, marker });
  if (presence.status === 'absent') return;
  const kind = driver.capabilities.isSharedDatabase ? 'schema' : 'database';
  const whose =
    owner === null
      ? 'which the registry does not know'
      : owner.status === 'deprovisioned'
        ? 'which is deprovisioned'
        : `which lives in ${owner.name} on ${owner.cluster}`;
  await book.add(
    { tenant: owner?.id ?? null, cluster, driver: driver.name, name },
    {
      code: 'orphan-home',
      message: `the ${kind} ${name} on cluster ${cluster} carries the mark of tenant ${marker.tenant}, ${whose}`,
      repair: `look into it, then drop it by hand; or take its mark off (${driver.unmarkCommand(name)}) and bring it in with \`tenancy registry adopt\``,
    },
  );
}
