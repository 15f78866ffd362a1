import type { ConnectionFacts } from '../drivers/driver.js';
import { isTenancyError, TenancyError } from '../errors.js';
import { countFree, findFullest, listBounds } from '../lifecycle/connection-bounds.js';
import type { RunMigrator } from '../lifecycle/migrator.js';
import type { RunContext } from '../lifecycle/run-context.js';
import type { RunLane, RunPlan } from './lanes.js';

type ClusterPlan = Pick<RunPlan, 'lanes' | 'clusters' | 'concurrency'>;

/** So few fit always, or the command that wants them says why they don't; they are not worth a question. */
const FEW = 2;

/**
 * What ends a run before any of its tenants is touched: another server behind the name of a cluster, and more at once than a server has connections
 * for, also where the names of several clusters stand for one. A cluster that can't be reached is left to them, who try again; in a dry run, where they may not be asked, it is a warning, as is the want of
 * connections. @throws TenancyError `TENANCY_CLUSTER_CHANGED`, `TENANCY_CONNECTIONS_SHORT`
 */
export async function checkClusters(run: RunContext, plan: ClusterPlan): Promise<void> {
  if (plan.lanes.length > 0 && run.migrator.type === 'built-in') loadAhead();
  const wanted = await Promise.all(
    plan.lanes.map(async (lane) => {
      const { name } = lane;
      const wants = readWanted(run, plan, lane);
      try {
        await run.clusters.engine(name, run.command);
      } catch (error) {
        if (isTenancyError(error, 'TENANCY_CLUSTER_CHANGED')) throw error;
        if (run.dryRun) warn(run, name, error);
        return null;
      }
      return wants;
    }),
  );
  const known = wanted.filter((each) => each !== null);
  for (const each of known) refuseShortage(run, findShortage(run, [each], each.concurrency));
  for (const group of groupByServer(known))
    refuseShortage(
      run,
      findShortage(
        run,
        group,
        Math.min(
          plan.concurrency,
          sumOf(group, ({ concurrency }) => concurrency),
        ),
      ),
    );
}

/** What a run may have in flight on a cluster at once, and what its server says of its connections. */
interface Wanted {
  readonly cluster: string;
  readonly drivers: RunLane['drivers'];
  readonly concurrency: number;
  readonly facts: ConnectionFacts;
  readonly server: string | null;
}

/** Null where so few are wanted that they fit always, or where it can't be known: `doctor` says why it can't. */
async function readWanted(run: RunContext, plan: ClusterPlan, { name: cluster, drivers }: RunLane): Promise<Wanted | null> {
  const { tenants = 0, cap = 1 } = plan.clusters[cluster] ?? {};
  const concurrency = Math.min(tenants, cap, plan.concurrency);
  const all = sumOf(Object.values(plan.clusters), (each) => Math.min(each.tenants, each.cap));
  if (Math.min(all, plan.concurrency) * countConnections(run.migrator) <= FEW) return null;
  const facts = await run.clusters.readConnections(cluster, run.command).catch(() => null);
  return facts && { cluster, drivers, concurrency, facts, server: await run.clusters.readServer(cluster).catch(() => null) };
}

/** Clusters whose names stand for one server, which has its connections once. */
function groupByServer(wanted: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const servers = new Map<string, Wanted[]>();
  for (const each of wanted) if (each.server !== null) servers.set(each.server, [...(servers.get(each.server) ?? []), each]);
  return [...servers.values()].filter((group) => group.length > 1);
}

function refuseShortage(run: RunContext, short: TenancyError | null): void {
  if (!short) return;
  if (!run.dryRun) throw short;
  run.emit({ type: 'run.warned', code: short.code, message: short.message });
}

/** That a tenant in flight takes: ours, and those of a migrator that opens its own. */
export function countConnections({ connections }: Pick<RunMigrator, 'connections'>): number {
  return 1 + connections;
}

/** Of one cluster by each of its limits; of several by the server's own. */
function findShortage(run: RunContext, wanted: readonly Wanted[], concurrency: number): TenancyError<'TENANCY_CONNECTIONS_SHORT'> | null {
  const [first, ...others] = wanted;
  if (!first || wanted.some(({ facts }) => facts.isPooled)) return null;
  const [server, ...limits] = listBounds(first.facts, first.drivers);
  const fullest = findFullest([
    server,
    ...(others.length > 0 ? others.map(({ facts, drivers }) => listBounds(facts, drivers)[0]) : limits),
  ]);
  // One of ours that is just being opened may not be counted yet.
  const free = Math.min(fullest.most, countFree(fullest) + sumOf(wanted, ({ facts }) => facts.ours));
  const each = countConnections(run.migrator);
  const needed = concurrency * each;
  if (needed <= free) return null;
  const { by, most, raise } = fullest;
  const fits = Math.max(0, Math.floor(free / each));
  return new TenancyError('TENANCY_CONNECTIONS_SHORT', {
    clusters: wanted.map(({ cluster }) => cluster),
    concurrency,
    needed,
    most,
    inUse: most - free,
    by,
    fits,
    raise,
  });
}

function warn(run: RunContext, cluster: string, error: unknown): void {
  const { code, message } = isTenancyError(error)
    ? error
    : (run.clusters.opened(cluster)?.describeUnreachable(error) ??
      new TenancyError('TENANCY_CLUSTER_UNREACHABLE', {
        cluster,
        where: run.clusters.opened(cluster)?.where ?? cluster,
        reason: error instanceof Error ? error.message : String(error),
      }));
  run.emit({ type: 'run.warned', code, message });
}

function sumOf<T>(items: readonly T[], amount: (item: T) => number): number {
  return items.reduce((total, item) => total + amount(item), 0);
}

/** While the servers answer there is nothing else to do. Where it can't be loaded, whoever needs it says so. */
function loadAhead(): void {
  void import('../migrations/apply.js').then(({ loadUmzug }) => loadUmzug()).catch(() => undefined);
}
