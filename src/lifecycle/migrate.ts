import { TenancyError } from '../errors.js';
import type { RunCommand } from '../events.js';
import type { Tenant } from '../tenant.js';
import type { OnVersion } from './migrator.js';
import { nextOfUnfinished } from './retained.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { runStep } from './steps.js';
import { MIGRATABLE } from './transitions.js';

/** Brings an active (or suspended) tenant to the run's target; `rollback` is the same with a migrator that goes down. */
export async function migrateTenant(scope: TenantScope, onVersion: OnVersion): Promise<WorkResult> {
  const { run, tenant } = scope;
  if (!MIGRATABLE.includes(tenant.status)) throw refuseStatus(tenant, run.command);
  await run.migrator.check(tenant.driver);
  let result: WorkResult | null = null;
  await runStep(scope, run.command === 'rollback' ? 'rollback' : 'migrate', async () => {
    result = await run.migrator.migrate(scope, { isNew: false, onVersion }).catch(async (error: unknown) => {
      throw await explainMissingHome(scope, error);
    });
    return result.outcome === 'up-to-date' ? { status: 'done-before' } : { detail: result.to ?? 'nothing' };
  });
  return result as unknown as WorkResult;
}

/** Why a tenant that isn't active (or suspended) can't be migrated. */
export function refuseStatus(tenant: Tenant, command: RunCommand): TenancyError {
  const { id, status } = tenant;
  const done = command === 'rollback' ? 'rolled back' : 'migrated';
  return new TenancyError('TENANCY_STATE_REFUSED', { tenant: id, status, command: done, next: nextOfUnfinished(tenant) });
}

/** An error of the engine's own may only mean that there is no such schema or database; then that is what is said. */
async function explainMissingHome({ driver, target, tenant }: TenantScope, error: unknown): Promise<unknown> {
  if (error instanceof TenancyError) return error;
  const presence = await driver.probe(target).catch(() => null);
  if (presence?.status !== 'absent') return error;
  return new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster }, { cause: error });
}
