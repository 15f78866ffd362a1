import { TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { Tenant, TenantOperation } from '../tenant.js';
import { createHookContext, runHook, withHooks } from './hook-context.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { noJournal, runStep, runStepOnce } from './steps.js';
import { TRANSITIONS } from './transitions.js';

export function listDeprovisionSteps(hasBackup: boolean): readonly StepName[] {
  return ['guard', 'cut-access', ...(hasBackup ? (['backup'] as const) : []), 'drop', 'verify', 'tombstone'];
}

/** The operation to go on with, or a new one that remembers where the tenant came from. */
export function planDeprovisionOperation(tenant: Tenant, newId: string): TenantOperation {
  if (tenant.operation?.type === 'deprovision') return tenant.operation;
  const cameFrom = tenant.status === 'active' || tenant.status === 'suspended' ? tenant.status : 'failed';
  return { id: newId, type: 'deprovision', cameFrom };
}

/**
 * guard → cut access → backup → drop → verify → tombstone. Nothing is dropped before the backup hook has ended well,
 * and a failed one gives access back.
 */
export async function deprovisionTenant(scope: TenantScope, operation: TenantOperation, hasBackup: boolean): Promise<WorkResult> {
  const { run, tenant, driver, target, signal } = scope;
  const { drop, backup } = run.config.hooks;
  // Another command was faster, while this one waited for the lease.
  if (tenant.status === 'deprovisioned') return { outcome: 'up-to-date', from: null, to: null };
  const context = () => createHookContext(scope, { from: tenant.schemaVersion, to: null });

  let isGone = false;
  // Not journaled: it is what begins the operation that the journal belongs to, and is repeated by every attempt.
  await runStep({ ...scope, steps: noJournal }, 'guard', async () => {
    const presence = await driver.probe(target);
    isGone = presence.status === 'absent';
    if (presence.status === 'other' || presence.status === 'unmarked') {
      throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
        reason: `${tenant.name} on cluster ${tenant.cluster} doesn't carry ${tenant.id}'s marker, so it isn't ours to drop`,
        next: `look at it by hand; \`tenancy tenant show ${tenant.id}\` has what the registry knows`,
      });
    }
    const obstacles = await driver.planDrop(target);
    if (obstacles.length > 0) {
      throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
        reason: `dropping ${tenant.name} would reach beyond ${tenant.id}: ${obstacles.slice(0, 5).join('; ')}${obstacles.length > 5 ? `; and ${obstacles.length - 5} more` : ''}`,
        next: 'move or drop those first, then run the same command again',
      });
    }
    await begin(scope, operation);
  });

  let isEnforced = true;
  await runStep(scope, 'cut-access', async () => {
    if (isGone) return { status: 'done-before' };
    const change = await driver.cutAccess(target, signal);
    isEnforced = change.isEnforced;
    return { detail: change.detail };
  });

  if (hasBackup && !isGone) {
    try {
      await runStepOnce(scope, 'backup', () => withHooks(scope, 'Backup', context, () => runHook(scope, 'backup', backup, context)));
    } catch (error) {
      await callOff(scope, operation, isEnforced);
      throw error;
    }
  }

  await runStep(scope, 'drop', async () => {
    let detail: string = 'dropped';
    await withHooks(scope, 'Drop', context, async () => {
      if (drop) await runHook(scope, 'drop', drop, context);
      else detail = await driver.drop(target, signal);
    });
    return detail === 'absent' ? { status: 'done-before' } : { detail };
  });

  await runStep(scope, 'verify', async () => {
    const presence = await driver.probe(target);
    if (presence.status !== 'absent') {
      throw new TenancyError('TENANCY_STEP_FAILED', {
        tenant: tenant.id,
        step: 'verify',
        reason: `${tenant.name} is still on cluster ${tenant.cluster} after the drop`,
      });
    }
  });

  await scope.steps.flush();
  // Not journaled: the change of state ends the operation, and nothing may be left to be written behind it.
  await runStep({ ...scope, steps: noJournal }, 'tombstone', () => bury(scope));
  return { outcome: 'applied', from: tenant.schemaVersion, to: null };
}

async function begin({ run, tenant, fence }: TenantScope, operation: TenantOperation): Promise<void> {
  const isResumed = tenant.operation?.id === operation.id;
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS['deprovision.begin'],
    set: { operation },
    runId: run.runId,
    event: isResumed ? 'tenant.deprovisioning-resumed' : 'tenant.deprovisioning',
  });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}

/** After a failed backup the tenant goes on as it was. */
async function callOff(scope: TenantScope, { cameFrom }: TenantOperation, isEnforced: boolean): Promise<void> {
  const { run, tenant, fence, driver, target, signal } = scope;
  if (cameFrom !== 'active' && cameFrom !== 'suspended') return;
  if (cameFrom === 'active' && isEnforced && !signal.aborted) {
    await runStep(scope, 'restore-access', async () => ({ detail: (await driver.restoreAccess(target, signal)).detail }));
  }
  await scope.steps.flush();
  await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS[`deprovision.call-off.${cameFrom}`],
    set: { operation: null },
    runId: run.runId,
    event: 'tenant.deprovisioning-called-off',
  });
}

async function bury({ run, tenant, fence }: TenantScope): Promise<void> {
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS['deprovision.tombstone'],
    set: { operation: null, lastError: null, schemaVersion: null, migrationsHash: null },
    runId: run.runId,
    event: 'tenant.deprovisioned',
  });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}
