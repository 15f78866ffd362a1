import { guardDeprovisionRequest, guardDeprovisionTenant, guardLeasedTenant } from '../lifecycle/guard-deprovision.js';
import { mayHaveLogins } from '../lifecycle/logins.js';
import { noMigrator } from '../lifecycle/migrator.js';
import { guardPurge, listPurgeSteps, purgeTenant } from '../lifecycle/purge.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { createStepJournal, noJournal } from '../lifecycle/steps.js';
import type { Tenant } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { describeObstacles } from './describe-obstacles.js';
import { dryReport } from './dry-report.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface PurgeOptions {
  /** Also before the time that the tenant is retained for is over. */
  readonly isEarly?: boolean;
  /** Any selection beside the id; always refused. */
  readonly selectedBy?: string | null;
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
  /** Asked after every guard and before anything is touched; throws to refuse. */
  readonly confirm: (tenant: Tenant) => Promise<void>;
}

/** Removes a retained tenant for good, once its time is over. Guarded as a deprovision is. */
export async function purgeOne(workspace: Workspace, rawIds: readonly string[], options: PurgeOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const isEarly = options.isEarly ?? false;
  const id = guardDeprovisionRequest({ ids: rawIds, selectedBy: options.selectedBy ?? null }, 'purge');
  const registry = await workspace.registry();
  const tenant = await guardDeprovisionTenant(registry, id, 'purge');
  const steps = listPurgeSteps(mayHaveLogins(workspace.config, tenant));
  const isGone = tenant.status === 'deprovisioned';
  if (!isGone) guardPurge(tenant, isEarly);

  if (options.dryRun) {
    return dryReport(workspace, { command: 'purge', selected: 1, target: null, startedMs, concurrency: 1 }, async (emit) => {
      if (isGone) return { pending: 0, refused: [] };
      const obstacles = await describeObstacles(workspace, registry, tenant);
      for (const message of obstacles) emit({ type: 'run.warned', code: 'TENANCY_DROP_REFUSED', message, tenant: id });
      const { cluster, driver, name, schemaVersion } = tenant;
      emit({
        type: 'tenant.planned',
        tenant: id,
        cluster,
        driver,
        name,
        from: schemaVersion,
        to: null,
        steps,
        migrations: [],
      });
      return { pending: 1, refused: [] };
    });
  }

  if (!isGone) await options.confirm(tenant);
  return runSingle(workspace, {
    command: 'purge',
    registry,
    tenant,
    isDone: isGone,
    migrator: noMigrator,
    limits: options.limits ?? {},
    signals: options.signals,
    steps,
    journal: async (run, leased) =>
      leased.operation ? createStepJournal(run, leased, leased.operation, await registry.readSteps(leased.operation.id)) : noJournal,
    work: async (scope) => {
      guardLeasedTenant(tenant, scope.tenant);
      return purgeTenant(scope, isEarly);
    },
    failAs: 'deprovision.fail',
  });
}
