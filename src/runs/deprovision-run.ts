import { deprovisionTenant, listDeprovisionSteps, planDeprovisionOperation } from '../lifecycle/deprovision.js';
import { guardBackup, guardDeprovisionRequest, guardDeprovisionTenant, guardLeasedTenant } from '../lifecycle/guard-deprovision.js';
import { mayHaveLogins } from '../lifecycle/logins.js';
import { noMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { createStepJournal } from '../lifecycle/steps.js';
import type { Tenant } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { createOperationId } from '../util/names.js';
import { describeBackup, describeObstacles } from './describe-obstacles.js';
import { dryReport } from './dry-report.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface DeprovisionOptions {
  readonly skipBackup?: boolean;
  /** Any selection beside the id; always refused. */
  readonly selectedBy?: string | null;
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
  /** Asked after every guard and before anything is touched; throws to refuse. */
  readonly confirm: (tenant: Tenant) => Promise<void>;
}

/** Removes one tenant for good. Refused (exit 4) unless every guard lets it pass. */
export async function deprovisionOne(workspace: Workspace, rawIds: readonly string[], options: DeprovisionOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const { config } = workspace;
  const canBackUp = config.hooks.backup !== undefined || config.backups !== null;
  const hasBackup = canBackUp && !options.skipBackup;
  const id = guardDeprovisionRequest({ ids: rawIds, selectedBy: options.selectedBy ?? null });
  guardBackup({ canBackUp, skipBackup: options.skipBackup ?? false });

  const registry = await workspace.registry();
  const tenant = await guardDeprovisionTenant(registry, id);
  const steps = listDeprovisionSteps(hasBackup, mayHaveLogins(config, tenant));
  const isGone = tenant.status === 'deprovisioned';

  if (options.dryRun) {
    return dryReport(workspace, { command: 'deprovision', selected: 1, target: null, startedMs, concurrency: 1 }, async (emit) => {
      if (isGone) return { pending: 0, refused: [] };
      const obstacles = await describeObstacles(workspace, registry, tenant);
      for (const message of obstacles) emit({ type: 'run.warned', code: 'TENANCY_DROP_REFUSED', message, tenant: id });
      const { cluster, driver, name, schemaVersion } = tenant;
      const planned = { tenant: id, cluster, driver, name, from: schemaVersion, to: null, steps, migrations: [] };
      const backup = hasBackup ? await describeBackup(workspace, registry, tenant, options.signals.abort) : null;
      emit({ type: 'tenant.planned', ...planned, ...(backup === null ? {} : { backup }) });
      return { pending: 1, refused: [] };
    });
  }

  if (!isGone) await options.confirm(tenant);
  const operationId = createOperationId();
  return runSingle(workspace, {
    command: 'deprovision',
    registry,
    tenant,
    isDone: isGone,
    migrator: noMigrator,
    limits: options.limits ?? {},
    signals: options.signals,
    steps,
    journal: async (run, leased) => {
      const operation = planDeprovisionOperation(leased, operationId);
      const steps = operation.id === operationId ? [] : await registry.readSteps(operation.id);
      return createStepJournal(run, leased, operation, steps);
    },
    work: async (scope) => {
      guardLeasedTenant(tenant, scope.tenant);
      return deprovisionTenant(scope, planDeprovisionOperation(scope.tenant, operationId), { hasBackup });
    },
    failAs: 'deprovision.fail',
  });
}
