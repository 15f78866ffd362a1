import type { ResolvedCluster } from '../config/resolved-types.js';
import type { ResolvedConfig } from '../config/types.js';
import { TenancyError } from '../errors.js';
import type { FleetLane } from '../fleet/run-fleet.js';
import { type RunMigrator, targetOf } from '../lifecycle/migrator.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import type { Registry, TenantFilter, TenantSummary } from '../registry/registry.js';
import type { DriverName, Tenant } from '../tenant.js';
import { readAhead } from '../util/read-ahead.js';
import { readTenants } from './read-tenants.js';

/** The tenants of a run: how many, how many of them need nothing, and a lane for each cluster with work. */
export interface RunPlan {
  readonly selected: number;
  readonly upToDate: number;
  readonly lanes: readonly RunLane[];
  readonly concurrency: number;
  readonly clusters: Readonly<Record<string, { readonly tenants: number; readonly cap: number }>>;
}

/** The tenants of one cluster, and the kinds of home that they have. */
export interface RunLane extends FleetLane<Tenant> {
  readonly drivers: ReadonlySet<DriverName>;
}

/** The same with what the registry counted. */
export interface FleetPlan extends RunPlan {
  readonly filter: TenantFilter;
  readonly summary: readonly TenantSummary[];
}

export interface PlanRunOptions {
  readonly config: ResolvedConfig;
  readonly registry: Registry;
  readonly filter: TenantFilter;
  /** Tenants that the registry records as being there already are left out. */
  readonly skipsKnown: boolean;
  readonly concurrency: number | null;
  readonly migrator: RunMigrator;
}

/** One query over the registry, whatever the size of the fleet; tenants themselves are read page by page as the run goes. */
export async function planRun({ config, registry, filter, skipsKnown, concurrency, migrator }: PlanRunOptions): Promise<FleetPlan> {
  const summary = await registry.summarize(filter);
  const selected = sum(summary, ({ tenants }) => tenants);
  const isThere = ({ status, driver, schemaVersion, migrationsHash }: Recorded): boolean => {
    const target = skipsKnown && MIGRATABLE.includes(status) ? targetOf(migrator.forDriver(driver)) : null;
    return target !== null && schemaVersion === target.schemaVersion && migrationsHash === target.migrationsHash;
  };
  const upToDate = sum(summary.filter(isThere), ({ tenants, withError }) => tenants - withError);

  const working = new Map<string, Working>();
  for (const row of summary) addWork(working, row.cluster, row.driver, isThere(row) ? row.withError : row.tenants);
  const clusters = capClusters(config, working, migrator);

  // Where all have one target the registry leaves out who is there; where each driver has its own, we do.
  const common = skipsKnown ? targetOf(migrator) : null;
  const pending: TenantFilter = common === null ? filter : { ...filter, notAt: common };
  const lanes = Object.entries(clusters).map(([name, { cap }]) => {
    const read = (): AsyncGenerator<Tenant> => readTenants(registry, { ...pending, clusters: [name] });
    const drivers = working.get(name)?.drivers ?? new Set();
    return { name, cap, drivers, tenants: readAgain(readAhead(read()), read, (tenant) => isThere(tenant) && tenant.lastError === null) };
  });
  return { filter, summary, selected, upToDate, lanes, clusters, concurrency: decideConcurrency(config, concurrency, clusters) };
}

/** The lanes for tenants that are at hand already, as after registering them. */
export function planListed(
  config: ResolvedConfig,
  tenants: readonly Tenant[],
  concurrency: number | null,
  migrator: RunMigrator,
): Omit<RunPlan, 'selected' | 'upToDate'> {
  const byCluster = new Map<string, Tenant[]>();
  const working = new Map<string, Working>();
  for (const tenant of tenants) {
    addWork(working, tenant.cluster, tenant.driver, 1);
    const listed = byCluster.get(tenant.cluster);
    if (listed) listed.push(tenant);
    else byCluster.set(tenant.cluster, [tenant]);
  }
  const clusters = capClusters(config, working, migrator);
  const lanes = [...byCluster].map(([name, listed]) => ({
    name,
    cap: clusters[name]?.cap ?? 1,
    drivers: working.get(name)?.drivers ?? new Set(),
    tenants: yieldAll(listed),
  }));
  return { lanes, clusters, concurrency: decideConcurrency(config, concurrency, clusters) };
}

/** May be gone through more than once, as waves do: what was read ahead is for the first time, and from then on all is read anew. */
function readAgain(
  ahead: AsyncIterable<Tenant>,
  read: () => AsyncIterable<Tenant>,
  isDone: (tenant: Tenant) => boolean,
): AsyncIterable<Tenant> {
  let first: AsyncIterable<Tenant> | null = ahead;
  return {
    [Symbol.asyncIterator]: () => {
      const tenants = first ?? read();
      first = null;
      return leaveOut(tenants, isDone);
    },
  };
}

export async function* leaveOut(tenants: AsyncIterable<Tenant>, isDone: (tenant: Tenant) => boolean): AsyncGenerator<Tenant> {
  for await (const tenant of tenants) if (!isDone(tenant)) yield tenant;
}

export async function* yieldAll<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

type Recorded = Pick<TenantSummary, 'status' | 'driver' | 'schemaVersion' | 'migrationsHash'>;

/** What is to be done on one cluster. */
export interface Working {
  tenants: number;
  readonly drivers: Set<DriverName>;
}

export function addWork(working: Map<string, Working>, cluster: string, driver: DriverName, tenants: number): void {
  if (tenants === 0) return;
  const known = working.get(cluster) ?? { tenants: 0, drivers: new Set() };
  known.tenants += tenants;
  known.drivers.add(driver);
  working.set(cluster, known);
}

export function capClusters(
  config: ResolvedConfig,
  working: ReadonlyMap<string, Working>,
  migrator: RunMigrator,
): Readonly<Record<string, { readonly tenants: number; readonly cap: number }>> {
  const caps = [...working].map(([cluster, work]) => [cluster, { tenants: work.tenants, cap: capOf(config, cluster, work, migrator) }]);
  return Object.fromEntries(caps);
}

function capOf(config: ResolvedConfig, cluster: string, { tenants, drivers }: Working, migrator: RunMigrator): number {
  const configured = config.clusters[cluster];
  if (!configured) {
    const who = tenants === 1 ? '1 tenant' : `${tenants} tenants`;
    throw new TenancyError('TENANCY_CLUSTER_UNKNOWN', { tenant: who, cluster, known: Object.keys(config.clusters) });
  }
  return capTenants(configured, drivers, migrator);
}

/** How many tenants of a cluster may be in flight at once. */
export function capTenants({ concurrency }: ResolvedCluster, drivers: ReadonlySet<DriverName>, migrator: RunMigrator): number {
  // A migrator whose own lock covers the whole database would only make the others in it wait, or fail.
  const isShared = drivers.has('postgres-schema') && migrator.forDriver('postgres-schema').lockScope === 'database';
  return isShared ? 1 : concurrency;
}

export function decideConcurrency(
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
