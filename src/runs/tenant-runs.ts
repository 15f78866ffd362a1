import type { StepName } from '../events.js';
import { resumeTenant, suspendTenant } from '../lifecycle/access.js';
import { createRunMigrator, noMigrator } from '../lifecycle/migrator.js';
import { repairTenant } from '../lifecycle/repair.js';
import type { RunLimits, TenantWork } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import { parseTenantId } from '../tenant.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { requireTenant } from './require-tenant.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface TenantRunOptions {
  readonly limits?: Partial<RunLimits>;
  readonly signals: RunSignals;
}

export async function suspendOne(workspace: Workspace, id: string, options: TenantRunOptions): Promise<RunReport> {
  return runOn(workspace, 'suspend', id, ['cut-access'], suspendTenant, options);
}

export async function resumeOne(workspace: Workspace, id: string, options: TenantRunOptions): Promise<RunReport> {
  return runOn(workspace, 'resume', id, ['restore-access'], resumeTenant, options);
}

/** Settles what was interrupted and can't be probed, and brings the registry's record in line with the tenant. */
export async function repairOne(
  workspace: Workspace,
  id: string,
  answer: 'applied' | 'rerun' | null,
  options: TenantRunOptions,
): Promise<RunReport> {
  return runOn(workspace, 'repair', id, ['repair'], (scope) => repairTenant(scope, answer), options);
}

async function runOn(
  workspace: Workspace,
  command: 'suspend' | 'resume' | 'repair',
  rawId: string,
  steps: readonly StepName[],
  work: TenantWork,
  { limits = {}, signals }: TenantRunOptions,
): Promise<RunReport> {
  const id = parseTenantId(rawId);
  const migrator =
    command === 'repair'
      ? await createRunMigrator(workspace.config, { direction: 'up', to: null, allowOutOfOrder: true, forceVerify: true })
      : noMigrator;
  const registry = await workspace.registry();
  const tenant = await requireTenant(registry, id);
  return runSingle(workspace, {
    command,
    registry,
    tenant,
    isDone: false,
    migrator,
    limits,
    signals,
    steps,
    journal: async () => noJournal,
    work,
  });
}
