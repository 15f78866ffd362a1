import { TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { Tenant } from '../tenant.js';
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
import { closeHome } from './retain.js';
import { nextOfLeaving } from './retained.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { noJournal, runStep } from './steps.js';
import { TRANSITIONS } from './transitions.js';

export function listPurgeSteps(hasLogins: boolean): readonly StepName[] {
  return ['guard', ...listDropSteps(hasLogins)];
}

/** By what the registry says, and its clock. @throws TenancyError `TENANCY_STATE_REFUSED`, `TENANCY_RETENTION_UNEXPIRED` */
export function guardPurge(tenant: Tenant, isEarly: boolean): void {
  const { id, status, retainedUntil, isRetentionOver } = tenant;
  if (status !== 'retained') {
    // A purge that was begun is finished, whatever the time is.
    if (retainedUntil !== null && status !== 'deprovisioned') return;
    const next = nextOfLeaving(tenant) ?? `only a retained tenant is purged: \`tenancy tenant deprovision ${id} --retain 30d\` first`;
    throw new TenancyError('TENANCY_STATE_REFUSED', { tenant: id, status, command: 'purged', next });
  }
  if (!isRetentionOver && !isEarly) {
    throw new TenancyError('TENANCY_RETENTION_UNEXPIRED', { tenant: id, until: retainedUntil?.toISOString() ?? 'later' });
  }
}

/**
 * guard → drop → drop access → verify → tombstone: the second half of a deprovision, with its operation and its journal. The tenant is retained until the
 * moment before the drop, in which the registry compares once more: its status, its protection, and the time by its own clock.
 */
export async function purgeTenant(scope: TenantScope, isEarly: boolean): Promise<WorkResult> {
  const { run, tenant, driver, target, signal } = scope;
  if (tenant.status === 'deprovisioned') return { outcome: 'up-to-date', from: null, to: null };
  guardPurge(tenant, isEarly);
  const isResumed = tenant.status !== 'retained';

  await runStep({ ...scope, steps: noJournal }, 'guard', async () => {
    const { status } = await driver.probe(target);
    if (status === 'other' || status === 'unmarked') refuseForeignHome(scope);
    if (status !== 'absent') return refuseObstacles(scope);
    if (isResumed) return;
    await refuseRenamed(scope);
    warnGone(scope);
  });

  const { operation } = tenant;
  const hooks = run.config.hooks;
  // Hooks of the user's look for the home where it always was.
  const isOpened =
    operation !== null && (hooks.drop ?? hooks.beforeDrop) !== undefined && (await driver.probe(target)).status === 'retained';
  if (isOpened) await driver.unretain(target, { operation: operation.id, isOver: false }, signal);
  let isPassed = isResumed;
  try {
    await dropHome(scope, {
      isLeftAlone: false,
      pass: async () => {
        await changeUnprotected(scope, {
          ...TRANSITIONS['purge.begin'],
          ...(isEarly || isResumed ? {} : { ifRetentionOver: true }),
          event: isResumed ? 'tenant.purging-resumed' : 'tenant.purging',
        });
        isPassed = true;
      },
    });
  } catch (error) {
    // It is retained as before, and has to be as closed.
    if (isOpened && !isPassed && !signal.aborted) await closeHome(scope, operation);
    throw error;
  }
  await dropAccess(scope);
  await verifyGone(scope, false);
  await buryTenant(scope);
  return { outcome: 'applied', from: tenant.schemaVersion, to: null };
}
