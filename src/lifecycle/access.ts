import { TenancyError } from '../errors.js';
import { nextOfLeaving } from './retained.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { runStep } from './steps.js';
import { cutTenantAccess, restoreTenantAccess } from './tenant-access.js';
import { touch } from './touches.js';
import { TRANSITIONS } from './transitions.js';

/** Cuts access, as far as the engine can, and marks the tenant; the data stays, and migrations go on. */
export async function suspendTenant(scope: TenantScope): Promise<WorkResult> {
  return changeAccess(scope, 'suspend');
}

/** Gives access back and marks the tenant active. */
export async function resumeTenant(scope: TenantScope): Promise<WorkResult> {
  return changeAccess(scope, 'resume');
}

async function changeAccess(scope: TenantScope, change: 'suspend' | 'resume'): Promise<WorkResult> {
  const { run, tenant, fence } = scope;
  const { from, to } = TRANSITIONS[change];
  const version = { from: tenant.schemaVersion, to: tenant.schemaVersion };
  if (tenant.status === to) {
    // An interrupted `suspend` may have cut access and not come to say so.
    if (change === 'resume') touch(scope, { what: 'grant', detail: (await restoreTenantAccess(scope)).detail });
    return { outcome: 'up-to-date', ...version };
  }
  if (!(from as readonly string[]).includes(tenant.status)) {
    throw new TenancyError('TENANCY_STATE_REFUSED', {
      tenant: tenant.id,
      status: tenant.status,
      command: `${change}${change === 'suspend' ? 'ed' : 'd'}`,
      next: nextOfLeaving(tenant) ?? `see \`tenancy tenant show ${tenant.id}\``,
    });
  }
  await runStep(scope, change === 'suspend' ? 'cut-access' : 'restore-access', async () => {
    await run.leases.confirm(tenant.id);
    const done = change === 'suspend' ? await cutTenantAccess(scope) : await restoreTenantAccess(scope);
    const changed = await run.changeTenant({
      id: tenant.id,
      fence,
      from,
      to,
      runId: run.runId,
      event: change === 'suspend' ? 'tenant.suspended' : 'tenant.resumed',
    });
    if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
    if (!done.isEnforced)
      run.emit({ type: 'run.warned', code: 'TENANCY_ACCESS_NOT_ENFORCED', message: `${tenant.id}: ${done.detail}`, tenant: tenant.id });
    return { detail: done.detail };
  });
  return { outcome: 'applied', ...version };
}
