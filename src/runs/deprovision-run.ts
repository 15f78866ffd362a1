import { TenancyError } from '../errors.js';
import { deprovisionTenant, listDeprovisionSteps, planDeprovisionOperation, warnNotBackedUp } from '../lifecycle/deprovision.js';
import {
  guardBackup,
  guardDeprovisionRequest,
  guardDeprovisionTenant,
  guardLeasedTenant,
  refuseRetained,
} from '../lifecycle/guard-deprovision.js';
import { mayHaveLogins } from '../lifecycle/logins.js';
import { noMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { createStepJournal } from '../lifecycle/steps.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import type { Tenant, TenantOperation } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { createOperationId } from '../util/names.js';
import { parseRetention } from '../util/retention.js';
import { describeBackup, describeObstacles, warnWhereStaysOpen } from './describe-obstacles.js';
import { dryReport } from './dry-report.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface DeprovisionOptions {
  readonly skipBackup?: boolean;
  /** Closes and keeps the tenant for so long (`'30d'`) instead of dropping it; `'none'` takes back what the config says. @default the config's */
  readonly retain?: string | number;
  /** Any selection beside the id; always refused. */
  readonly selectedBy?: string | null;
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
  /** Asked after every guard and before anything is touched; throws to refuse. `retainForMs`: null where the tenant is dropped at once. */
  readonly confirm: (tenant: Tenant, plan: { readonly retainForMs: number | null }) => Promise<void>;
}

/** Removes one tenant for good, or closes and keeps it for a while. Refused (exit 4) unless every guard lets it pass. */
export async function deprovisionOne(workspace: Workspace, rawIds: readonly string[], options: DeprovisionOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const { config } = workspace;
  const canBackUp = config.hooks.backup !== undefined || config.backups !== null;
  const hasBackup = canBackUp && !options.skipBackup;
  const id = guardDeprovisionRequest({ ids: rawIds, selectedBy: options.selectedBy ?? null });
  const retainForMs = options.retain === undefined ? config.defaults.retainForMs : parseRetention(options.retain);
  guardBackup({ canBackUp, skipBackup: options.skipBackup ?? false });

  const registry = await workspace.registry();
  const tenant = await guardDeprovisionTenant(registry, id);
  const isRetainedAlready = retainForMs !== null && tenant.status === 'retained';
  if (!isRetainedAlready) refuseRetained(tenant);
  const command = retainForMs === null ? 'deprovision' : 'retain';
  const journal = tenant.operation?.type === 'deprovision' ? await registry.readSteps(tenant.operation.id) : [];
  const isDropping = journal.some(({ step }) => step === 'drop');
  const isOmitted = hasBackup && isDropping && !journal.some(({ step, state }) => step === 'backup' && state === 'done');
  const steps = listDeprovisionSteps({ hasBackup: hasBackup && !isOmitted, retainForMs, hasLogins: mayHaveLogins(config, tenant) });
  const isGone = tenant.status === 'deprovisioned';

  if (options.dryRun) {
    return dryReport(workspace, { command, selected: 1, target: null, startedMs, concurrency: 1 }, async (emit) => {
      if (isGone || isRetainedAlready) return { pending: 0, refused: [] };
      const obstacles = await describeObstacles(workspace, registry, tenant);
      for (const message of obstacles) emit({ type: 'run.warned', code: 'TENANCY_DROP_REFUSED', message, tenant: id });
      if (isOmitted) warnNotBackedUp(emit, tenant);
      if (hasBackup && !isDropping && retainForMs === null) await warnWhereStaysOpen(workspace, registry, tenant, emit);
      const { cluster, driver, name, schemaVersion } = tenant;
      const to = retainForMs === null ? null : schemaVersion;
      const planned = { tenant: id, cluster, driver, name, from: schemaVersion, to, steps, migrations: [] };
      const backup = hasBackup && !isDropping ? await describeBackup(workspace, registry, tenant, options.signals.abort) : null;
      emit({ type: 'tenant.planned', ...planned, ...(backup === null ? {} : { backup }) });
      return { pending: 1, refused: [] };
    });
  }

  if (!isGone && !isRetainedAlready) await options.confirm(tenant, { retainForMs });
  // Of the attempt that is under way. Each finds out anew what it goes on with: what an earlier one has called off is over, and its journal with it.
  let operation: TenantOperation;
  let begun: TenantOperation | null = null;
  const onOperation = (now: TenantOperation | null): void => {
    begun = now;
  };
  return runSingle(workspace, {
    command,
    registry,
    tenant,
    isDone: isGone,
    migrator: noMigrator,
    limits: options.limits ?? {},
    signals: options.signals,
    steps: isRetainedAlready ? ['retain'] : steps,
    journal: async (run, leased) => {
      // Somebody has called off, or taken back, what an earlier attempt had begun, and means the tenant to stay.
      if (begun !== null && leased.operation?.id !== begun.id && MIGRATABLE.includes(leased.status))
        throw new TenancyError('TENANCY_STATE_MOVED', { tenant: id });
      operation = planDeprovisionOperation(leased, createOperationId());
      const steps = leased.operation?.id === operation.id ? await registry.readSteps(operation.id) : [];
      return createStepJournal(run, leased, operation, steps);
    },
    work: async (scope) => {
      guardLeasedTenant(tenant, scope.tenant);
      return deprovisionTenant(scope, { operation, newOperationId: createOperationId(), hasBackup, retainForMs, onOperation });
    },
    failAs: 'deprovision.fail',
  });
}
