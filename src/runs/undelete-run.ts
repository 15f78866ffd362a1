import { noMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import { guardUndelete, listUndeleteSteps, undeleteTenant } from '../lifecycle/undelete.js';
import { parseTenantId } from '../tenant.js';
import { monotonicMs } from '../util/clock.js';
import { dryReport } from './dry-report.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { requireTenant } from './require-tenant.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface UndeleteOptions {
  readonly limits?: Partial<RunLimits>;
  readonly dryRun?: boolean;
  readonly signals: RunSignals;
}

/** Brings a retained tenant back whole. Its steps need no journal: each finds its work done, or does it. */
export async function undeleteOne(workspace: Workspace, rawId: string, options: UndeleteOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const id = parseTenantId(rawId);
  const registry = await workspace.registry();
  const tenant = await requireTenant(registry, id);
  guardUndelete(tenant);
  const steps = listUndeleteSteps(tenant);
  const { cluster, driver, name, schemaVersion } = tenant;
  if (options.dryRun) {
    return dryReport(workspace, { command: 'undelete', selected: 1, target: null, startedMs, concurrency: 1 }, (emit) => {
      emit({ type: 'tenant.planned', tenant: id, cluster, driver, name, from: schemaVersion, to: schemaVersion, steps, migrations: [] });
      return { pending: 1, refused: [] };
    });
  }
  return runSingle(workspace, {
    command: 'undelete',
    registry,
    tenant,
    isDone: false,
    migrator: noMigrator,
    limits: options.limits ?? {},
    signals: options.signals,
    steps,
    journal: async () => noJournal,
    work: undeleteTenant,
  });
}
