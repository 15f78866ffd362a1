import type { ResolvedConfig } from '../config/types.js';
import { TenancyError } from '../errors.js';
import type { FleetLane } from '../fleet/run-fleet.js';
import type { RunMigrator } from '../lifecycle/migrator.js';
import type { Registry, TenantFilter, TenantSummary } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';

const PAGE = 200;

/** The tenants of a run: how many, how many of them need nothing, and a lane for each cluster with work. */
export interface RunPlan {
  readonly selected: number;
  readonly upToDate: number;
  readonly lanes: readonly FleetLane<Tenant>[];
  readonly concurrency: number;
  readonly clusters: Readonly<Record<string, { readonly tenants: number; readonly cap: number }>>;
}

export interface PlanRunOptions {
  readonly config: ResolvedConfig;
  readonly registry: Registry;
  readonly filter: TenantFilter;
  /** Tenants that the registry records as being there already are left out. */
  readonly skipAt: { readonly schemaVersion: string | null; readonly migrationsHash: string } | null;
  readonly concurrency: number | null;
  readonly migrator: RunMigrator;
}

/** One query over the registry, whatever the size of the fleet; tenants themselves are read page by page as the run goes. */
export async function planRun({ config, registry, filter, skipAt, concurrency, migrator }: PlanRunOptions): Promise<RunPlan> {
  const summary = await registry.summarize(filter);
  const selected = sum(summary, ({ tenants }) => tenants);
  const isThere = (row: TenantSummary): boolean =>
    skipAt !== null && row.schemaVersion === skipAt.schemaVersion && row.migrationsHash === skipAt.migrationsHash;
  const upToDate = sum(summary.filter(isThere), ({ tenants, withError }) => tenants - withError);

  const working = new Map<string, number>();
  for (const row of summary) {
    const tenants = isThere(row) ? row.withError : row.tenants;
    if (tenants > 0) working.set(row.cluster, (working.get(row.cluster) ?? 0) + tenants);
  }
  const clusters: Record<string, { tenants: number; cap: number }> = {};
  for (const [cluster, tenants] of working) clusters[cluster] = { tenants, cap: capOf(config, cluster, tenants, migrator) };

  const pending: TenantFilter = skipAt === null ? filter : { ...filter, notAt: skipAt };
  const lanes = Object.entries(clusters).map(([name, { cap }]) => ({
    name,
    cap,
    tenants: readTenants(registry, { ...pending, clusters: [name] }),
  }));
  return { selected, upToDate, lanes, clusters, concurrency: decideConcurrency(config, concurrency, clusters) };
}

/** The lanes for tenants that are at hand already, as after registering them. */
export function planListed(
  config: ResolvedConfig,
  tenants: readonly Tenant[],
  concurrency: number | null,
  migrator: RunMigrator,
): Omit<RunPlan, 'selected' | 'upToDate'> {
  const byCluster = new Map<string, Tenant[]>();
  for (const tenant of tenants) {
    const listed = byCluster.get(tenant.cluster);
    if (listed) listed.push(tenant);
    else byCluster.set(tenant.cluster, [tenant]);
  }
  const clusters: Record<string, { tenants: number; cap: number }> = {};
  for (const [cluster, listed] of byCluster)
    clusters[cluster] = { tenants: listed.length, cap: capOf(config, cluster, listed.length, migrator) };
  const lanes = [...byCluster].map(([name, listed]) => ({ name, cap: clusters[name]?.cap ?? 1, tenants: yieldAll(listed) }));
  return { lanes, clusters, concurrency: decideConcurrency(config, concurrency, clusters) };
}

export async function* readTenants(registry: Registry, filter: TenantFilter): AsyncGenerator<Tenant> {
  let after: string | null = null;
  for (;;) {
    const page: readonly Tenant[] = await registry.listTenants(filter, { after, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last.id;
  }
}

async function* yieldAll<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function capOf(config: ResolvedConfig, cluster: string, tenants: number, migrator: RunMigrator): number {
  const configured = config.clusters[cluster];
  if (!configured) {
    const who = tenants === 1 ? '1 tenant' : `${tenants} tenants`;
    throw new TenancyError('TENANCY_CLUSTER_UNKNOWN', { tenant: who, cluster, known: Object.keys(config.clusters) });
  }
  // A migrator whose own lock covers the whole database would only make the others wait, or fail.
  return migrator.lockScope === 'database' ? 1 : configured.concurrency;
}

function decideConcurrency(
  config: ResolvedConfig,
  asked: number | null,
  clusters: Readonly<Record<string, { readonly cap: number }>>,
): number {
  const all = sum(Object.values(clusters), ({ cap }) => cap);
  return Math.max(1, Math.min(asked ?? config.defaults.concurrency ?? all, all));
}

function sum<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}
