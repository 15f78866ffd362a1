import type { StepName } from '../events.js';
import { resumeTenant, suspendTenant } from '../lifecycle/access.js';
import type { DeclaredMigrations } from '../lifecycle/adopt.js';
import { createRunMigrator, noMigrator, type RunMigrator } from '../lifecycle/migrator.js';
import { repairTenant } from '../lifecycle/repair.js';
import { listRotateSteps, type RotateAnswers, rotateTenant } from '../lifecycle/rotate.js';
import type { RunLimits, TenantWork } from '../lifecycle/run-context.js';
import { noJournal } from '../lifecycle/steps.js';
import { type DriverName, parseTenantId } from '../tenant.js';
import type { RunSignals } from './execute-run.js';
import type { RunReport } from './report.js';
import { requireTenant } from './require-tenant.js';
import { runSingle } from './single-run.js';
import type { Workspace } from './workspace.js';

export interface TenantRunOptions {
  readonly limits?: Partial<RunLimits>;
  readonly signals: RunSignals;
}

/** What a person says of a tenant that can't be read from it. */
export interface RepairOptions {
  /** Whether a statement that was interrupted had run. */
  readonly answer?: 'applied' | 'rerun';
  /** Where the tenant lost its history: the newest migration that it has, or `none`. */
  readonly appliedUpTo?: string;
}

export async function suspendOne(workspace: Workspace, id: string, options: TenantRunOptions): Promise<RunReport> {
  return runOn(workspace, 'suspend', id, ['cut-access'], suspendTenant, options);
}

export async function resumeOne(workspace: Workspace, id: string, options: TenantRunOptions): Promise<RunReport> {
  return runOn(workspace, 'resume', id, ['restore-access'], resumeTenant, options);
}

export interface RotateOptions extends TenantRunOptions, Partial<RotateAnswers> {}

/** A new credential, besides the one in use; see `RotateAnswers`. */
export async function rotateOne(workspace: Workspace, rawId: string, options: RotateOptions): Promise<RunReport> {
  const { isFinish = false, overlapMs = null } = options;
  const id = parseTenantId(rawId);
  const tenant = await requireTenant(await workspace.registry(), id);
  const steps = listRotateSteps({ isFinish, overlapMs }, tenant.login?.previous != null);
  return runOn(workspace, 'rotate', id, steps, (scope) => rotateTenant(scope, { isFinish, overlapMs }), options);
}

/** Settles what was interrupted and can't be probed, and brings the registry's record in line with the tenant. */
export async function repairOne(
  workspace: Workspace,
  id: string,
  { answer, appliedUpTo }: RepairOptions,
  options: TenantRunOptions,
): Promise<RunReport> {
  // `none` is what a rollback calls it too: nothing stays applied.
  const isNothing = appliedUpTo === 'none';
  const migrator = await createRunMigrator(workspace.config, {
    direction: 'up',
    to: isNothing ? null : (appliedUpTo ?? null),
    allowOutOfOrder: true,
    forceVerify: true,
  });
  const declaredFor = (driver: DriverName): DeclaredMigrations | null =>
    appliedUpTo === undefined ? null : isNothing ? [] : migrator.forDriver(driver).declared;
  return runOn(
    workspace,
    'repair',
    id,
    ['repair'],
    (scope) => repairTenant(scope, { statement: answer ?? null, declared: declaredFor(scope.tenant.driver) }),
    options,
    migrator,
  );
}

async function runOn(
  workspace: Workspace,
  command: 'suspend' | 'resume' | 'repair' | 'rotate',
  rawId: string,
  steps: readonly StepName[],
  work: TenantWork,
  { limits = {}, signals }: TenantRunOptions,
  migrator: RunMigrator = noMigrator,
): Promise<RunReport> {
  const id = parseTenantId(rawId);
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
