import { TenancyError } from '../errors.js';
import { requireBackups } from '../lifecycle/backups/back-up.js';
import { checkDigest, type FoundBackup, findBackup } from '../lifecycle/backups/find-backup.js';
import { findRestoreObstacle, listRestoreSteps, restoreTenant } from '../lifecycle/backups/restore.js';
import { useCluster } from '../lifecycle/clusters.js';
import { createRunMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { createStepJournal } from '../lifecycle/steps.js';
import type { Registry } from '../registry/registry.js';
import { type Placement, parseTenantId, type Tenant, type TenantId } from '../tenant.js';
import { createOperationId } from '../util/names.js';
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
  readonly signals: RunSignals;
}

/** Makes a tenant of a backup. Everything that can be known beforehand is refused before anything is written. */
export async function restoreOne(workspace: Workspace, rawId: string, options: RestoreOptions): Promise<RunReport> {
  const { config } = workspace;
  const { from = 'last', cwd = config.root, limits = {}, signals } = options;
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

  const tenant = await register(registry, id, source, placement, backup);
  return runSingle(workspace, {
    command: 'restore',
    registry,
    tenant,
    isDone: false,
    migrator,
    limits,
    signals,
    steps: listRestoreSteps(config, tenant.cluster),
    journal: async (run, leased) => {
      // In the meantime another may have finished it, or begun something else.
      const refusal = findRestoreObstacle(leased, source);
      if (refusal || leased.operation === null) throw refusal ?? new TenancyError('TENANCY_STATE_MOVED', { tenant: id });
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

async function register(
  registry: Registry,
  id: TenantId,
  source: TenantId,
  placement: Placement,
  { manifest }: FoundBackup,
): Promise<Tenant> {
  const operation = { id: createOperationId(), type: 'restore', cameFrom: null } as const;
  const [registered] = await registry.registerTenants([{ id, labels: manifest.labels, ...placement, operation }]);
  if (registered === undefined) throw new Error(`the registry gave no answer for ${id}`);
  const refusal = findRestoreObstacle(registered.tenant, source);
  if (refusal) throw refusal;
  return registered.tenant;
}
