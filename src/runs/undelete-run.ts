import { noMigrator } from '../lifecycle/migrator.js';
import type { RunLimits } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import { MIGRATABLE } from '../lifecycle/transitions.js';
import { guardUndelete, listUndeleteSteps, undeleteTenant } from '../lifecycle/undelete.js';
import type { Registry } from '../registry/registry.js';
import { parseTenantId, type TenantId } from '../tenant.js';
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

/** Far more than can have been told of it since. */
const RECENT = 500;

/** Brings a retained tenant back whole. Its steps need no journal: each finds its work done, or does it. */
export async function undeleteOne(workspace: Workspace, rawId: string, options: UndeleteOptions): Promise<RunReport> {
  const startedMs = monotonicMs();
  const id = parseTenantId(rawId);
  const registry = await workspace.registry();
  const tenant = await requireTenant(registry, id);
  // Whoever runs the command once more finds it done: one that was killed may have come that far.
  const isDone = MIGRATABLE.includes(tenant.status) && (await wasJustUndeleted(registry, id));
  if (!isDone) guardUndelete(tenant);
  const steps = listUndeleteSteps(tenant);
  const { cluster, driver, name, schemaVersion } = tenant;
  if (options.dryRun) {
    return dryReport(workspace, { command: 'undelete', selected: 1, target: null, startedMs, concurrency: 1 }, (emit) => {
      if (isDone) return { pending: 0, refused: [] };
      emit({ type: 'tenant.planned', tenant: id, cluster, driver, name, from: schemaVersion, to: schemaVersion, steps, migrations: [] });
      return { pending: 1, refused: [] };
    });
  }
  return runSingle(workspace, {
    command: 'undelete',
    registry,
    tenant,
    isDone,
    migrator: noMigrator,
    limits: options.limits ?? {},
    signals: options.signals,
    steps,
    journal: async () => noJournal,
    work: async (scope) => {
      const { status, schemaVersion: version } = scope.tenant;
      // Another has done it while we waited for the tenant.
      if (MIGRATABLE.includes(status) && (await wasJustUndeleted(registry, id)))
        return { outcome: 'up-to-date', from: version, to: version };
      return undeleteTenant(scope);
    },
  });
}

/** That is the last thing that was done to its state, as the audit trail has it. */
async function wasJustUndeleted(registry: Registry, id: TenantId): Promise<boolean> {
  // How a run ended is told of every command, also of those that changed nothing.
  const changes = (await registry.listNewestEvents(id, RECENT)).filter(
    ({ type }) => type.startsWith('tenant.') && type !== 'tenant.settled',
  );
  return changes.at(-1)?.type === 'tenant.undeleted';
}
