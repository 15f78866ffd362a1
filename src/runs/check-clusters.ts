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
 * for. A cluster that can't be reached is left to them, who try again; in a dry run, where they may not be asked, it is a warning, as is the want of
 * connections. @throws TenancyError `TENANCY_CLUSTER_CHANGED`, `TENANCY_CONNECTIONS_SHORT`
 */
export async function checkClusters(run: RunContext, plan: ClusterPlan): Promise<void> {
  if (plan.lanes.length > 0 && run.migrator.type === 'built-in') loadAhead();
  await Promise.all(
    plan.lanes.map(async (lane) => {
      const { name } = lane;
      const connections = checkConnections(run, plan, lane);
      // Thrown further down, once it is clear that this is the server it was.
      connections.catch(() => undefined);
      try {
        await run.clusters.engine(name, run.command);
      } catch (error) {
        if (isTenancyError(error, 'TENANCY_CLUSTER_CHANGED')) throw error;
        if (run.dryRun) warn(run, name, error);
        return;
      }
      await connections;
    }),
  );
}

async function checkConnections(run: RunContext, plan: ClusterPlan, { name: cluster, drivers }: RunLane): Promise<void> {
  const { tenants = 0, cap = 1 } = plan.clusters[cluster] ?? {};
  const most = Math.min(tenants, cap, plan.concurrency);
  const each = countConnections(run.migrator);
  if (most * each <= FEW) return;
  // Where it can't be known nothing is refused; `doctor` says why it can't.
  const facts = await run.clusters.readConnections(cluster, run.command).catch(() => null);
  const short = facts && findShortage(facts, { cluster, drivers, concurrency: most, each });
  if (!short) return;
  if (!run.dryRun) throw short;
  run.emit({ type: 'run.warned', code: short.code, message: short.message });
}

/** That a tenant in flight takes: ours, and those of a migrator that opens its own. */
export function countConnections({ connections }: Pick<RunMigrator, 'connections'>): number {
  return 1 + connections;
}

function findShortage(
  facts: ConnectionFacts,
  { cluster, drivers, concurrency, each }: Pick<RunLane, 'drivers'> & { cluster: string; concurrency: number; each: number },
): TenancyError<'TENANCY_CONNECTIONS_SHORT'> | null {
  if (facts.isPooled) return null;
  const fullest = findFullest(listBounds(facts, drivers));
  // One of ours that is just being opened may not be counted yet.
  const free = Math.min(fullest.most, countFree(fullest) + facts.ours);
  const needed = concurrency * each;
  if (needed <= free) return null;
  const { by, most, raise } = fullest;
  const fits = Math.max(0, Math.floor(free / each));
  return new TenancyError('TENANCY_CONNECTIONS_SHORT', {
    cluster,
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

/** While the servers answer there is nothing else to do. Where it can't be loaded, whoever needs it says so. */
function loadAhead(): void {
  void import('../migrations/apply.js').then(({ loadUmzug }) => loadUmzug()).catch(() => undefined);
}
