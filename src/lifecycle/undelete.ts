import { TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { Tenant } from '../tenant.js';
import { cameFrom } from './retain.js';
import { nextOfLeaving } from './retained.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { noJournal, runStep } from './steps.js';
import { restoreTenantAccess } from './tenant-access.js';
import { TRANSITIONS } from './transitions.js';

export function listUndeleteSteps(tenant: Tenant): readonly StepName[] {
  return ['unretain', ...(cameFrom(tenant) === 'active' ? (['restore-access'] as const) : []), 'verify', 'activate'];
}

/** @throws TenancyError `TENANCY_STATE_REFUSED` */
export function guardUndelete(tenant: Tenant): void {
  const { id, status, retainedUntil } = tenant;
  if (status === 'retained') return;
  const isPurged = status !== 'deprovisioned' && retainedUntil !== null;
  const next = isPurged
    ? `its drop has begun; ${nextOfLeaving(tenant)}`
    : (nextOfLeaving(tenant) ?? `it isn't retained; see \`tenancy tenant show ${id}\``);
  throw new TenancyError('TENANCY_STATE_REFUSED', { tenant: id, status, command: 'undeleted', next });
}

/**
 * open → access back → look → active (or suspended, where it came from there). The tenant is retained until the very end, and each step finds
 * its work done or does it: so an attempt that was killed is taken up by the same command.
 */
export async function undeleteTenant(scope: TenantScope): Promise<WorkResult> {
  const { run, tenant, driver, target, fence, signal } = scope;
  guardUndelete(tenant);
  const to = cameFrom(tenant);
  // Whatever it was recorded with; a retained tenant always has the operation that retained it.
  const operation = tenant.operation?.id ?? tenant.homeOperationId;
  const version = { from: tenant.schemaVersion, to: tenant.schemaVersion };

  await runStep(scope, 'unretain', async () => {
    const presence = await driver.probe(target);
    if (presence.status === 'absent') {
      throw new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster, isRetained: true });
    }
    await run.leases.confirm(tenant.id);
    return { detail: (await driver.unretain(target, { operation, isOver: true }, signal)).detail };
  });
  if (to === 'active') {
    await runStep(scope, 'restore-access', async () => {
      await run.leases.confirm(tenant.id);
      return { detail: (await restoreTenantAccess(scope)).detail };
    });
  }
  await runStep(scope, 'verify', async () => {
    const presence = await driver.probe(target, { isFromOutside: true });
    if (presence.status !== 'ours') {
      throw new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster, isRetained: true });
    }
  });
  await runStep({ ...scope, steps: noJournal }, 'activate', async () => {
    const changed = await run.changeTenant({
      id: tenant.id,
      fence,
      ...TRANSITIONS[`undelete.${to}`],
      set: { operation: null, lastError: null, retainForMs: null },
      runId: run.runId,
      event: 'tenant.undeleted',
    });
    if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
    return { detail: to };
  });
  return { outcome: 'applied', ...version };
}
