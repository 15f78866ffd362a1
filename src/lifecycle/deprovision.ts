import { isTenancyError, TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { Tenant, TenantOperation } from '../tenant.js';
import { type BackupWay, makeBackup, planBackup } from './backups/back-up.js';
import { refuseProtected } from './guard-deprovision.js';
import { createHookContext, runHook, withHooks } from './hook-context.js';
import { dropLogins, mayHaveLogins } from './logins.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { noJournal, runStep, runStepOnce, StepFailure } from './steps.js';
import { cutTenantAccess, restoreTenantAccess } from './tenant-access.js';
import { TRANSITIONS } from './transitions.js';

/** How long giving access back may take, after an abort too. */
const CALL_OFF_MS = 5_000;

const PAGE = 1_000;

export function listDeprovisionSteps(hasBackup: boolean, hasLogins: boolean): readonly StepName[] {
  const backup = hasBackup ? (['backup'] as const) : [];
  const logins = hasLogins ? (['drop-access'] as const) : [];
  return ['guard', 'cut-access', ...backup, 'drop', ...logins, 'verify', 'tombstone'];
}

/** The operation to go on with, or a new one that remembers where the tenant came from. */
export function planDeprovisionOperation(tenant: Tenant, newId: string): TenantOperation {
  if (tenant.operation?.type === 'deprovision') return tenant.operation;
  const cameFrom = tenant.status === 'active' || tenant.status === 'suspended' ? tenant.status : 'failed';
  return { id: newId, type: 'deprovision', cameFrom };
}

/**
 * guard → cut access → backup → drop → drop access → verify → tombstone. Nothing is dropped before the backup hook has ended well,
 * and whatever ends it up to there gives access back.
 */
export async function deprovisionTenant(
  scope: TenantScope,
  operation: TenantOperation,
  { hasBackup }: { readonly hasBackup: boolean },
): Promise<WorkResult> {
  const { run, tenant, driver, target, signal } = scope;
  const { drop } = run.config.hooks;
  // Another command was faster, while this one waited for the lease.
  if (tenant.status === 'deprovisioned') return { outcome: 'up-to-date', from: null, to: null };
  const context = () => createHookContext(scope, { from: tenant.schemaVersion, to: null });

  let isGone = false;
  let isLeftAlone = false;
  let way: BackupWay | null = null;
  // Not journaled: it is what begins the operation that the journal belongs to, and is repeated by every attempt.
  await runStep({ ...scope, steps: noJournal }, 'guard', async () => {
    const presence = await driver.probe(target);
    isGone = presence.status === 'absent';
    if (isGone && !scope.steps.hasBegun('drop')) {
      await refuseRenamed(scope);
      warnGone(scope);
    }
    if (presence.status === 'other' || presence.status === 'unmarked') {
      isLeftAlone = await wasNeverMade(scope);
      if (isLeftAlone) {
        isGone = true;
        warnLeftAlone(scope);
        await begin(scope, operation);
        return;
      }
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
    if (hasBackup) way = await planBackup(run, driver, { signal });
    await begin(scope, operation);
  });

  // What an earlier attempt has begun to drop is no tenant to go back to.
  const canCallOff = !isGone && !scope.steps.hasBegun('drop');
  try {
    await runStep(scope, 'cut-access', async () => {
      if (isGone) return { status: 'done-before' };
      return { detail: (await cutTenantAccess(scope)).detail };
    });
    // Narrowed anew: what a callback assigns the compiler doesn't see.
    const backupWay = way as BackupWay | null;
    if (backupWay !== null && !isGone) {
      // Repeated until the drop begins: the one of an attempt that failed days ago would lack what was written since.
      const backUp = scope.steps.hasBegun('drop') ? runStepOnce : runStep;
      await backUp(scope, 'backup', async () => {
        const made = await makeBackup(scope, backupWay);
        return made === null ? {} : { detail: made.path };
      });
    }
  } catch (error) {
    if (canCallOff) await callOff(scope, operation);
    throw error;
  }

  await runStep(scope, 'drop', async () => {
    if (isLeftAlone) return { status: 'done-before' };
    let detail: string = 'dropped';
    await withHooks(scope, 'Drop', context, async () => {
      await passPointOfNoReturn(scope, canCallOff ? () => callOff(scope, operation) : async () => undefined);
      if (drop) await runHook(scope, 'drop', drop, context);
      else detail = await driver.drop(target, signal);
      // An interrupted restore has more than the home.
      if (tenant.activatedAt === null) await driver.backups?.sweep(target, signal);
    });
    return detail === 'absent' ? { status: 'done-before' } : { detail };
  });

  if (mayHaveLogins(run.config, tenant)) {
    await runStep(scope, 'drop-access', async () => {
      const dropped = await dropLogins(scope);
      return dropped.length === 0 ? { status: 'done-before' } : { detail: dropped.join(', ') };
    });
  }

  await runStep(scope, 'verify', async () => {
    if (isLeftAlone) return;
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

/** A home that is not under its name may still be there under another: then a tombstone would be a lie. */
async function refuseRenamed({ tenant, driver, target }: TenantScope): Promise<void> {
  if (tenant.activatedAt === null) return;
  const { marker } = target;
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof driver.list>> = await driver.list({ after, limit: PAGE });
    const found = page.find((home) => home.marker?.operation === marker.operation && home.marker.registry === marker.registry);
    if (found) {
      throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
        reason: `${tenant.name} is not on cluster ${tenant.cluster}, but ${found.name} carries ${tenant.id}'s marker: it was renamed by hand`,
        next: `rename ${found.name} back to ${tenant.name}, then run the same command again`,
      });
    }
    after = page.at(-1)?.name ?? null;
    if (page.length < PAGE) return;
  }
}

/** Its provisioning never got to a home of its own, since somebody else's had the name: that one is not the tenant's, and the id can be freed. */
async function wasNeverMade({ run, tenant }: TenantScope): Promise<boolean> {
  const { operation } = tenant;
  const isUnfinished =
    operation?.type === 'provision' ||
    operation?.type === 'restore' ||
    (operation?.type === 'deprovision' && operation.cameFrom === 'failed');
  if (!isUnfinished) return false;
  const steps = await run.registry.readSteps(tenant.homeOperationId);
  return !steps.some(({ step, state }) => step === 'create' && state === 'done');
}

function warnLeftAlone({ run, tenant }: TenantScope): void {
  const message = `${tenant.name} on cluster ${tenant.cluster} was never ${tenant.id}'s, and is left alone`;
  run.emit({ type: 'run.warned', code: 'TENANCY_NAME_TAKEN', message, tenant: tenant.id });
}

function warnGone({ run, tenant }: TenantScope): void {
  if (tenant.activatedAt === null) return;
  const message = `${tenant.name} was not on cluster ${tenant.cluster} any more: there is nothing to drop`;
  run.emit({ type: 'run.warned', code: 'TENANCY_HOME_MISSING', message, tenant: tenant.id });
}

async function begin(scope: TenantScope, operation: TenantOperation): Promise<void> {
  const { run, tenant, fence } = scope;
  const isResumed = tenant.operation?.id === operation.id;
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS['deprovision.begin'],
    ifProtected: false,
    set: { operation },
    runId: run.runId,
    event: isResumed ? 'tenant.deprovisioning-resumed' : 'tenant.deprovisioning',
  });
  if (!changed) await refuseMoved(scope);
}

/**
 * The last look before the drop, which no fence guards: the lease is still ours, and nobody has protected the tenant meanwhile.
 * The journal says already that the drop has begun, so whoever takes over from here on finishes it and never calls it off.
 */
async function passPointOfNoReturn(scope: TenantScope, undo: () => Promise<void>): Promise<void> {
  const { run, tenant, fence } = scope;
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    from: ['deprovisioning'],
    ifProtected: false,
    runId: run.runId,
    event: 'tenant.dropping',
  });
  if (changed) return;
  try {
    await refuseMoved(scope);
  } catch (error) {
    if (isTenancyError(error, 'TENANCY_DEPROVISION_REFUSED')) await undo();
    throw error;
  }
}

/** Says why a change of state did not match: protected meanwhile, or another's by now. */
async function refuseMoved({ run, tenant, fence }: TenantScope): Promise<never> {
  const found = await run.registry.findTenant(tenant.id);
  if (found?.fence === fence) refuseProtected(found);
  throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}

/** The tenant goes on as it was; also after an abort or a timeout, unless another has it by now. */
async function callOff(scope: TenantScope, { cameFrom }: TenantOperation): Promise<void> {
  const { run, tenant, fence, driver } = scope;
  if (cameFrom !== 'active' && cameFrom !== 'suspended') return;
  const signal = AbortSignal.any([run.leases.watch(tenant.id), AbortSignal.timeout(CALL_OFF_MS)]);
  if (signal.aborted) return;
  if (cameFrom === 'active' && (driver.capabilities.supportsCutAccess || tenant.login !== null)) {
    try {
      await runStep({ ...scope, signal }, 'restore-access', async () => {
        await run.leases.confirm(tenant.id);
        return { detail: (await restoreTenantAccess({ ...scope, signal })).detail };
      });
    } catch (error) {
      // Without its access back it must not be called active. What ended the deprovision is what is told.
      scope.log(`access could not be given back: ${error instanceof StepFailure ? String(error.cause) : String(error)}`);
      return;
    }
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
    set: { operation: null, lastError: null, schemaVersion: null, migrationsHash: null, credentialRef: null, login: null },
    runId: run.runId,
    event: 'tenant.deprovisioned',
  });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}
