import { TenancyError } from '../errors.js';
import type { FailureBudget } from '../fleet/failure-budget.js';
import { parseSelection, type TenantSelection } from '../fleet/selection.js';
import { type BackupWay, backUpTenant, planBackup } from '../lifecycle/backups/back-up.js';
import { noMigrator } from '../lifecycle/migrator.js';
import type { RunContext, RunLimits, TenantScope, WorkResult } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import type { Registry, TenantFilter } from '../registry/registry.js';
import type { DriverName } from '../tenant.js';
import { announceRun, recordRun } from './begin-run.js';
import { checkClusters } from './check-clusters.js';
import { executeRun, type RunSignals } from './execute-run.js';
import { findMissing } from './find-missing.js';
import { planRun, type RunPlan } from './lanes.js';
import { findLastFailed, narrowToFailed } from './last-failed.js';
import { describeFilter } from './migrate-run.js';
import { refuseUnknownClusters } from './refuse-unknown-clusters.js';
import type { RunReport } from './report.js';
import type { Workspace } from './workspace.js';

export interface BackupOptions {
  readonly concurrency?: number | null;
  readonly maxFailures?: FailureBudget | null;
  readonly limits?: Partial<RunLimits>;
  readonly signals: RunSignals;
}

/** A dump has a connection of its own, besides those of the cluster's budget. */
const backupMigrator = { ...noMigrator, connections: 1 };

/** Backs tenants up; they stay as they are. */
export async function backUpTenants(workspace: Workspace, selection: TenantSelection, options: BackupOptions): Promise<RunReport> {
  const { config } = workspace;
  const filter = parseSelection(selection, 'backup', MIGRATABLE);
  refuseUnknownClusters(config, filter);
  requireWay(config);
  const registry = await workspace.registry();
  await findMissing(registry, filter);
  const failedIn = selection.failed ? (await findLastFailed(registry, 'backup', filter.shard)).map(({ id }) => id) : undefined;
  const selected = failedIn === undefined ? filter : narrowToFailed(filter, failedIn);
  return backUpFiltered(workspace, registry, { filter: selected, failedIn }, options);
}

/** The same for a filter that has been made and checked before, as by `run retry`. */
export async function backUpFiltered(
  workspace: Workspace,
  registry: Registry,
  { filter, failedIn }: { readonly filter: TenantFilter; readonly failedIn?: readonly string[] | undefined },
  options: BackupOptions,
): Promise<RunReport> {
  const { config } = workspace;
  requireWay(config);
  const { limits = {}, concurrency = null, maxFailures = null } = options;
  return workspace.withRun({ command: 'backup', registry, migrator: backupMigrator, limits, dryRun: false }, async (run) => {
    const plan = await planRun({ config, registry, filter, skipsKnown: false, concurrency, migrator: backupMigrator });
    announceRun(run, plan, null, null, { failedIn, shard: filter.shard });
    await checkClusters(run, plan);
    const ways = await planWays(run, plan, options.signals.abort);
    const how = {
      filter: describeFilter(filter),
      concurrency: concurrency ?? config.defaults.concurrency,
      maxFailures,
      limits: run.limits,
    };
    await recordRun(run, plan, null, how);
    return executeRun(run, {
      ...plan,
      maxFailures,
      signals: options.signals,
      steps: () => ['backup'],
      journal: async () => noJournal,
      work: (scope) => backUpStanding(scope, ways),
    });
  });
}

/** @throws TenancyError `TENANCY_BACKUP_NOT_CONFIGURED` */
function requireWay({ backups, hooks, file }: Workspace['config']): void {
  if (backups === null && hooks.backup === undefined)
    throw new TenancyError('TENANCY_BACKUP_NOT_CONFIGURED', { command: 'tenant backup', file: file ?? 'the config' });
}

type Ways = ReadonlyMap<string, BackupWay>;

/** For each kind of home on each cluster, before the first tenant of any. A cluster that can't be reached is left to its tenants, who try again. */
async function planWays(run: RunContext, { lanes }: RunPlan, signal: AbortSignal): Promise<Ways> {
  const ways = new Map<string, BackupWay>();
  for (const { name, drivers } of lanes) {
    for (const driver of drivers) {
      const way = await planWay(run, name, driver, signal);
      if (way !== null) ways.set(keyOf(name, driver), way);
    }
  }
  return ways;
}

async function planWay(run: RunContext, cluster: string, name: DriverName, signal: AbortSignal): Promise<BackupWay | null> {
  try {
    const driver = (await run.clusters.engine(cluster, run.command)).driver(name);
    return await planBackup(run, driver, { signal });
  } catch (error) {
    const isAway = !(error instanceof TenancyError) || error.code === 'TENANCY_CLUSTER_UNREACHABLE';
    if (isAway && !signal.aborted) return null;
    throw error;
  }
}

async function backUpStanding(scope: TenantScope, ways: Ways): Promise<WorkResult> {
  const { run, tenant, driver, signal } = scope;
  if (!MIGRATABLE.includes(tenant.status)) {
    const next = `see \`tenancy tenant show ${tenant.id}\``;
    throw new TenancyError('TENANCY_STATE_REFUSED', { tenant: tenant.id, status: tenant.status, command: 'backed up', next });
  }
  const way = ways.get(keyOf(tenant.cluster, tenant.driver)) ?? (await planBackup(run, driver, { signal }));
  if (way === null) throw new TypeError('a run of backups was let pass without a way to make them');
  return backUpTenant(scope, way);
}

function keyOf(cluster: string, driver: DriverName): string {
  return `${driver} ${cluster}`;
}
