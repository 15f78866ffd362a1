import type { RunCommand, StepName } from '../events.js';
import type { RunMigrator } from '../lifecycle/migrator.js';
import type { RunContext, RunLimits, StepJournal, TenantWork } from '../lifecycle/run-context.js';
import type { Transition } from '../lifecycle/transitions.js';
import type { Registry } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import { announceRun, recordRun } from './begin-run.js';
import { executeRun, type RunSignals } from './execute-run.js';
import { planListed } from './lanes.js';
import type { RunReport } from './report.js';
import type { Workspace } from './workspace.js';

/** A run over one tenant that has been found already. */
export interface SingleRun {
  readonly command: RunCommand;
  readonly registry: Registry;
  readonly tenant: Tenant;
  /** There is nothing left to do; the run says so and ends. */
  readonly isDone: boolean;
  readonly migrator: RunMigrator;
  readonly limits: Partial<RunLimits>;
  readonly signals: RunSignals;
  readonly steps: readonly StepName[];
  /** `tenant`: as it is now that its lease is held. */
  readonly journal: (run: RunContext, tenant: Tenant) => Promise<StepJournal>;
  readonly work: TenantWork;
  readonly failAs?: Transition;
}

export async function runSingle(workspace: Workspace, single: SingleRun): Promise<RunReport> {
  const { command, registry, tenant, isDone, migrator, limits, signals, steps, journal, work, failAs } = single;
  return workspace.withRun({ command, registry, migrator, limits, dryRun: false }, async (run) => {
    const working = isDone ? [] : [tenant];
    const plan = { ...planListed(workspace.config, working, 1, migrator), selected: 1, upToDate: 1 - working.length };
    await recordRun(run, plan, migrator.target, { ids: [tenant.id] });
    announceRun(run, plan, migrator.target);
    return executeRun(run, {
      ...plan,
      maxFailures: null,
      signals,
      steps: () => steps,
      journal: (leased) => journal(run, leased),
      work: (scope) => work(scope),
      ...(failAs ? { failAs } : {}),
    });
  });
}
