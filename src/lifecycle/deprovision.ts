import { isTenancyError, TenancyError } from '../errors.js';
import type { EmitRunEvent, StepName } from '../events.js';
import type { Tenant, TenantOperation } from '../tenant.js';
import { type BackupWay, makeBackup, planBackup } from './backups/back-up.js';
import {
  buryTenant,
  changeUnprotected,
  dropAccess,
  dropHome,
  listDropSteps,
  refuseForeignHome,
  refuseObstacles,
  refuseRenamed,
  verifyGone,
  warnGone,
} from './drop-home.js';
import { refuseRetained } from './guard-deprovision.js';
import { refuseUnretainable, retainAgain, retainHome } from './retain.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { noJournal, runStep, StepFailure, tellDoneBefore } from './steps.js';
import { cutTenantAccess, restoreTenantAccess, warnStillOpen } from './tenant-access.js';
import { TRANSITIONS } from './transitions.js';

/** How long giving access back may take, after an abort too. */
const CALL_OFF_MS = 5_000;

export interface DeprovisionPlan {
  readonly operation: TenantOperation;
  /** For one that has to take its place. */
  readonly newOperationId: string;
  readonly hasBackup: boolean;
  /** Null: it is dropped at once. */
  readonly retainForMs: number | null;
  /** Told that the operation has begun, and with null that it was called off. */
  readonly onOperation: (operation: TenantOperation | null) => void;
}

export function listDeprovisionSteps({
  hasBackup,
  retainForMs,
  hasLogins,
}: Pick<DeprovisionPlan, 'hasBackup' | 'retainForMs'> & { readonly hasLogins: boolean }): readonly StepName[] {
  const backup = hasBackup ? (['backup'] as const) : [];
  return ['guard', 'cut-access', ...backup, ...(retainForMs === null ? listDropSteps(hasLogins) : (['retain'] as const))];
}

/** The operation to go on with, or a new one that remembers where the tenant came from. */
export function planDeprovisionOperation(tenant: Tenant, newId: string): TenantOperation {
  if (tenant.operation?.type === 'deprovision') return tenant.operation;
  const cameFrom = tenant.status === 'active' || tenant.status === 'suspended' ? tenant.status : 'failed';
  return { id: newId, type: 'deprovision', cameFrom };
}

/**
 * guard → cut access → backup → drop → drop access → verify → tombstone; or, where the tenant is to be retained, guard → cut access → backup → retain.
 * Nothing is closed or dropped before the backup hook has ended well, and whatever ends it up to there gives access back.
 */
export async function deprovisionTenant(scope: TenantScope, plan: DeprovisionPlan): Promise<WorkResult> {
  const { run, tenant, driver, target, signal } = scope;
  const { operation, newOperationId, hasBackup, retainForMs, onOperation } = plan;
  // Another command was faster, while this one waited for the lease.
  if (tenant.status === 'deprovisioned') return { outcome: 'up-to-date', from: null, to: null };
  if (retainForMs !== null && tenant.status === 'retained') return retainAgain(scope, newOperationId);
  refuseRetained(tenant);
  if (retainForMs !== null) refuseUnretainable(scope, operation);

  const isDropping = scope.steps.hasBegun('drop');
  let isGone = false;
  let isLeftAlone = false;
  let way: BackupWay | null = null;
  // An earlier attempt was about to retain it.
  let isClosed = false;
  let closedBy: string | null = null;
  // Not journaled: it is what begins the operation that the journal belongs to, and is repeated by every attempt.
  await runStep({ ...scope, steps: noJournal }, 'guard', async () => {
    const presence = await driver.probe(target);
    isGone = presence.status === 'absent';
    isClosed = presence.status === 'retained';
    closedBy = presence.status === 'retained' ? presence.by : null;
    if (isGone && !isDropping) {
      await refuseRenamed(scope);
      if (retainForMs !== null) refuseNothingToRetain(tenant);
      warnGone(scope);
    }
    if (presence.status === 'other' || presence.status === 'unmarked') {
      isLeftAlone = await wasNeverMade(scope);
      if (!isLeftAlone) refuseForeignHome(scope);
      isGone = true;
      warnLeftAlone(scope);
    } else {
      await refuseObstacles(scope);
      if (hasBackup && !isGone && !isDropping) way = await planBackup(run, driver, { signal, target });
    }
    await begin(scope, operation);
    onOperation(operation);
  });

  // Repeated until the end begins: the one of an attempt that failed days ago would lack what was written since.
  const isBackedUp = (isDropping || isClosed) && scope.steps.isDone('backup');
  // A picture of what is half dropped would be the newest backup there is.
  if (hasBackup && isDropping && !isBackedUp && !isLeftAlone) warnNotBackedUp(run.emit, tenant);
  // What an earlier attempt has begun to drop is no tenant to go back to.
  const canCallOff = !isGone && !isDropping;
  const giveUp = async (): Promise<void> => {
    if (canCallOff && (await callOff(scope, operation, isClosed))) onOperation(null);
  };
  try {
    await runStep(scope, 'cut-access', async () => {
      if (isGone) return { status: 'done-before' };
      if (closedBy !== null && closedBy !== operation.id) {
        await openForgotten(scope, closedBy);
        isClosed = false;
      }
      const cut = await cutTenantAccess(scope);
      if (!cut.isEnforced && way !== null && !isBackedUp && retainForMs === null) warnStillOpen(run.emit, tenant, driver, cut);
      return { detail: cut.detail };
    });
    // Narrowed anew: what a callback assigns the compiler doesn't see.
    const backupWay = way as BackupWay | null;
    if (hasBackup && isBackedUp && !isGone) tellDoneBefore(scope, 'backup');
    else if (backupWay !== null) {
      if (isClosed) await driver.unretain(target, { operation: operation.id, isOver: false }, signal);
      await runStep(scope, 'backup', async () => {
        const made = await makeBackup(scope, backupWay);
        return made === null ? {} : { detail: made.path };
      });
    }
    if (retainForMs !== null) {
      isClosed = true;
      await retainHome(scope, operation, retainForMs);
      return { outcome: 'applied', from: tenant.schemaVersion, to: tenant.schemaVersion };
    }
  } catch (error) {
    await giveUp();
    throw error;
  }

  await dropHome(scope, {
    isLeftAlone,
    pass: () => passPointOfNoReturn(scope, giveUp),
  });
  await dropAccess(scope);
  await verifyGone(scope, isLeftAlone);
  if (operation.cameFrom === 'failed') await closeGivenUp(scope);
  await buryTenant(scope);
  return { outcome: 'applied', from: tenant.schemaVersion, to: null };
}

/** Closed by an operation that the registry knows nothing of, as one that was put back from an older backup: its word is what counts, and to it the home is open. */
async function openForgotten({ run, tenant, driver, target, signal }: TenantScope, operation: string): Promise<void> {
  await run.leases.confirm(tenant.id);
  await driver.unretain(target, { operation, isOver: true }, signal);
}

/** What brought the tenant here was killed half way, and nobody goes on with it any more: its journal says so. */
async function closeGivenUp({ run, tenant }: TenantScope): Promise<void> {
  const steps = await run.registry.readSteps(tenant.homeOperationId);
  const open = steps.filter(({ state }) => state === 'started');
  const common = {
    tenant: tenant.id,
    fence: tenant.fence,
    operation: 'provision',
    state: 'failed',
    error: 'given up by a deprovision',
  } as const;
  if (open.length > 0) await run.recordSteps(open.map(({ operationId, step }) => ({ ...common, operationId, step })));
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

export function warnNotBackedUp(emit: EmitRunEvent, { id }: Tenant): void {
  const message = `no backup of ${id} was made: its drop had begun before, and what is left of it is not whole; \`tenancy tenant backups ${id}\` has those of before`;
  emit({ type: 'run.warned', code: 'TENANCY_BACKUP_OMITTED', message, tenant: id });
}

function refuseNothingToRetain({ id, name, cluster }: Tenant): never {
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: `${name} is not on cluster ${cluster} any more, so there is nothing to retain`,
    next: `\`tenancy tenant deprovision ${id} --retain none\` frees the id`,
  });
}

async function begin(scope: TenantScope, operation: TenantOperation): Promise<void> {
  const isResumed = scope.tenant.operation?.id === operation.id;
  await changeUnprotected(scope, {
    ...TRANSITIONS['deprovision.begin'],
    set: { operation },
    event: isResumed ? 'tenant.deprovisioning-resumed' : 'tenant.deprovisioning',
  });
}

/** The journal says already that the drop has begun, so whoever takes over from here on finishes it and never calls it off. */
async function passPointOfNoReturn(scope: TenantScope, undo: () => Promise<void>): Promise<void> {
  try {
    await changeUnprotected(scope, { from: ['deprovisioning'], event: 'tenant.dropping' });
  } catch (error) {
    if (isTenancyError(error, 'TENANCY_DEPROVISION_REFUSED')) await undo();
    throw error;
  }
}

/** The tenant goes on as it was; also after an abort or a timeout, unless another has it by now: then, or where it can't, false. */
async function callOff(scope: TenantScope, { id, cameFrom }: TenantOperation, isClosed: boolean): Promise<boolean> {
  const { run, tenant, fence, driver, target } = scope;
  if (cameFrom !== 'active' && cameFrom !== 'suspended') return false;
  const signal = AbortSignal.any([run.leases.watch(tenant.id), AbortSignal.timeout(CALL_OFF_MS)]);
  if (signal.aborted) return false;
  // Where tenants share a database and its login, there was nothing to cut.
  const isCut = cameFrom === 'active' && (!driver.capabilities.isSharedDatabase || tenant.login !== null);
  if (isCut || isClosed) {
    try {
      await runStep({ ...scope, signal }, 'restore-access', async () => {
        await run.leases.confirm(tenant.id);
        const opened = isClosed ? await driver.unretain(target, { operation: id, isOver: true }, signal) : null;
        const restored = isCut ? await restoreTenantAccess({ ...scope, signal }) : null;
        return { detail: [opened, restored].flatMap((change) => change?.detail ?? []).join('; ') };
      });
    } catch (error) {
      // Without its access back it must not be called active. What ended the deprovision is what is told.
      scope.log(`access could not be given back: ${error instanceof StepFailure ? String(error.cause) : String(error)}`);
      return false;
    }
  }
  await scope.steps.flush();
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS[`deprovision.call-off.${cameFrom}`],
    set: { operation: null },
    runId: run.runId,
    event: 'tenant.deprovisioning-called-off',
  });
  return changed !== null;
}
