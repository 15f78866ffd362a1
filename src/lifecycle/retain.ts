import { TenancyError } from '../errors.js';
import type { Tenant, TenantOperation } from '../tenant.js';
import { changeUnprotected } from './drop-home.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { noJournal, runStep } from './steps.js';
import { TRANSITIONS } from './transitions.js';

/** Closes the home and has the tenant wait, by the registry's clock. Not journaled: the change of state ends what there is to go on with. */
export async function retainHome(scope: TenantScope, operation: TenantOperation, retainForMs: number): Promise<void> {
  await scope.steps.flush();
  await runStep({ ...scope, steps: noJournal }, 'retain', async () => {
    const detail = await closeHome(scope, operation);
    const { retainedUntil } = await changeUnprotected(scope, {
      ...TRANSITIONS['deprovision.retain'],
      set: { retainForMs, lastError: null },
      event: 'tenant.retained',
    });
    return { detail: `${detail}; kept until ${retainedUntil?.toISOString()}` };
  });
}

/** For a tenant that is retained already: its time stays what it is. Closes it again, where an `undelete` was interrupted half way. */
export async function retainAgain(scope: TenantScope, newId: string): Promise<WorkResult> {
  const { operation, retainedUntil, schemaVersion } = scope.tenant;
  await runStep({ ...scope, steps: noJournal }, 'retain', async () => {
    const detail = operation === null ? 'closed' : await closeHome(scope, await renewWhereOpened(scope, operation, newId));
    return { detail: `${detail}; kept until ${retainedUntil?.toISOString()}, as before` };
  });
  return { outcome: 'up-to-date', from: schemaVersion, to: schemaVersion };
}

/** To its home the operation is over, from when an `undelete` began to open it: it is closed by another. */
async function renewWhereOpened(scope: TenantScope, operation: TenantOperation, newId: string): Promise<TenantOperation> {
  if ((await scope.driver.probe(scope.target, { isFromOutside: true })).status !== 'ours') return operation;
  const renewed = { ...operation, id: newId };
  await changeUnprotected(scope, { from: ['retained'], set: { operation: renewed }, event: 'tenant.retaining-again' });
  return renewed;
}

/** Finds it closed, or closes it. */
export async function closeHome({ run, tenant, driver, target, signal }: TenantScope, { id }: TenantOperation): Promise<string> {
  await run.leases.confirm(tenant.id);
  const { isEnforced, detail } = await driver.retain(target, id, signal);
  if (!isEnforced) {
    const message = `${tenant.id} is kept, but not out of reach: ${detail}`;
    run.emit({ type: 'run.warned', code: 'TENANCY_ACCESS_NOT_ENFORCED', message, tenant: tenant.id });
  }
  return detail;
}

/** What was never whole can't be brought back, and what is being dropped neither. @throws TenancyError `TENANCY_DEPROVISION_REFUSED` */
export function refuseUnretainable({ tenant, steps }: TenantScope, { cameFrom }: TenantOperation): void {
  if (steps.hasBegun('drop')) {
    throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
      reason: `${tenant.id} is being dropped already, so it can't be retained any more`,
      next: `finish it: \`tenancy tenant deprovision ${tenant.id} --retain none\``,
    });
  }
  if (cameFrom === 'active' || cameFrom === 'suspended') return;
  throw new TenancyError('TENANCY_DEPROVISION_REFUSED', {
    reason: `${tenant.id} never came to be active, so there is nothing that could be brought back`,
    next: `\`tenancy tenant deprovision ${tenant.id} --retain none\` removes what there is of it`,
  });
}

/** Where it goes when it is undeleted. */
export function cameFrom({ operation }: Tenant): 'active' | 'suspended' {
  return operation?.cameFrom === 'suspended' ? 'suspended' : 'active';
}
