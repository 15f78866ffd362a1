import type { BackupTools } from '../drivers/driver.js';
import { TenancyError } from '../errors.js';
import { requireBackups } from '../lifecycle/backups/back-up.js';
import { checkDigest, type FoundBackup, findBackup } from '../lifecycle/backups/find-backup.js';
import { findRestoreObstacle, listRestoreSteps, restoreTenant } from '../lifecycle/backups/restore.js';
import { useCluster } from '../lifecycle/clusters.js';
import { createRunMigrator, type RunMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { createStepJournal } from '../lifecycle/steps.js';
import type { NewTenant, Registry } from '../registry/registry.js';
import { type Placement, parseTenantId, type Tenant, type TenantId } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { createOperationId } from '../util/names.js';
import { dryReport } from './dry-report.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface RestoreOptions {
  /** An id of a backup, the path of a file, or `last`. @default 'last' */
  readonly from?: string;
  /** The tenant that is made of it. @default the one that was backed up */
  readonly as?: string | null;
  /** That a relative path of `from` starts at. @default the directory of the config */
  readonly cwd?: string;
  readonly limits?: Partial<RunLimits>;
  /** Looks at all that can be known beforehand, and writes nothing. */
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
}

/** Makes a tenant of a backup. Everything that can be known beforehand is refused before anything is written. */
export async function restoreOne(workspace: Workspace, rawId: string, options: RestoreOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const ready = await prepare(workspace, rawId, options);
  return options.dryRun ? tellPlan(workspace, ready, startedMs) : restore(workspace, ready, options);
}

/** What can be restored, as far as that can be known beforehand. */
interface ReadyRestore {
  readonly registry: Registry;
  /** Whose backup it is. */
  readonly source: TenantId;
  readonly backup: FoundBackup;
  readonly tools: BackupTools;
  readonly migrator: RunMigrator;
  /** What there is of the tenant that is to be made. */
  readonly before: Tenant | null;
  readonly restored: NewTenant;
}

/** Reads only. */
async function prepare(workspace: Workspace, rawId: string, options: RestoreOptions): Promise<ReadyRestore> {
  const { config } = workspace;
  const { from = 'last', cwd = config.root, signals } = options;
  const source = parseTenantId(rawId);
  const id = options.as == null ? source : parseTenantId(options.as);
  const { directory, tools: paths } = config.backups ?? { directory: config.root, tools: {} };
  const registry = await workspace.registry();
  const backup = await findBackup(registry, source, from, { directory, cwd });
  const before = await registry.findTenant(id);
  const obstacle = before && findRestoreObstacle(before, source);
  if (obstacle) throw obstacle;
  await checkDigest(backup, signals.abort);

  const placement = placeLike(workspace, id, backup);
  const madeBy = backup.manifest.toolVersion;
  const clusters = workspace.clusters(registry, { dryRun: true });
  const tools = await useCluster(clusters, { name: placement.cluster, neededBy: id }, async (engine) => {
    const backups = requireBackups(engine.driver(placement.driver));
    const found = await backups.check({ purpose: 'restore', paths, madeBy, signal: signals.abort });
    await backups.checkSource?.(id, { path: backup.path, name: backup.manifest.name }, found);
    return found;
  });
  const migrator = await createRunMigrator(config, { direction: 'up', to: null, allowOutOfOrder: true, forceVerify: false });
  const operation = { id: createOperationId(), type: 'restore', cameFrom: null } as const;
  const restored = { id, labels: backup.manifest.labels, ...placement, operation };
  return { registry, source, backup, tools, migrator, before, restored };
}

async function tellPlan(workspace: Workspace, { registry, backup, before, restored }: ReadyRestore, startedMs: number): Promise<RunReport> {
  await registry.refuseClashes([restored]);
  // One that was interrupted goes on where it had begun.
  const { cluster, driver, name } = before && before.status !== 'deprovisioned' ? before : restored;
  const { id, at, schemaVersion: version } = backup.manifest;
  return dryReport(workspace, { command: 'restore', selected: 1, target: null, startedMs, concurrency: 1 }, (emit) => {
    emit({
      type: 'tenant.planned',
      tenant: restored.id,
      cluster,
      driver,
      name,
      from: version,
      to: version,
      steps: listRestoreSteps(workspace.config, cluster),
      migrations: [],
      restored: { backup: id, at, path: backup.path },
    });
    return { pending: 1, refused: [] };
  });
}

async function restore(workspace: Workspace, ready: ReadyRestore, { limits = {}, signals }: RestoreOptions): Promise<RunReport> {
  const { registry, source, backup, tools, migrator, restored } = ready;
  const tenant = await register(registry, restored, source);
  return runSingle(workspace, {
    command: 'restore',
    registry,
    tenant,
    isDone: false,
    migrator,
    limits,
    signals,
    steps: listRestoreSteps(workspace.config, tenant.cluster),
    journal: async (run, leased) => {
      // In the meantime another may have finished it, or begun something else.
      const refusal = findRestoreObstacle(leased, source);
      if (refusal || leased.operation === null) throw refusal ?? new TenancyError('TENANCY_STATE_MOVED', { tenant: leased.id });
      return createStepJournal(run, leased, leased.operation, await registry.readSteps(leased.operation.id));
    },
    work: (scope) => restoreTenant(scope, backup, tools),
    failAs: 'restore.fail',
  });
}

/** Where the config puts it now; that has to be a home of the same kind. */
function placeLike({ config }: Workspace, id: TenantId, { manifest, path }: FoundBackup): Placement {
  const placement = config.place({ id, labels: manifest.labels });
  if (placement.driver === manifest.driver) return placement;
  throw new TenancyError('TENANCY_RESTORE_REFUSED', {
    tenant: id,
    reason: `${path} is of a ${manifest.driver} tenant, and \`placement\` makes ${id} a ${placement.driver} one`,
    next: 'have `placement` return the same driver for it, as it did when it was backed up',
  });
}

async function register(registry: Registry, restored: NewTenant, source: TenantId): Promise<Tenant> {
  const [registered] = await registry.registerTenants([restored]);
  if (registered === undefined) throw new Error(`the registry gave no answer for ${restored.id}`);
  const refusal = findRestoreObstacle(registered.tenant, source);
  if (refusal) throw refusal;
  return registered.tenant;
}
