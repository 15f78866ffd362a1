import type { PreparedHome } from '../registry/registry.js';
import type { DriverMigrator, RecordedHistory } from './migrator.js';
import { preparedTarget } from './prepared-home.js';
import type { TenantScope } from './run-context.js';
import { listPreparable } from './templates.js';

export interface ClaimedSpare {
  /** An attempt that was killed had come so far already. */
  readonly isAdopted: boolean;
  readonly known: RecordedHistory | null;
}

/**
 * Gives the tenant a home of the warm pool; null where there is none that will do.
 *
 * ```
 * claimed in the registry ──→ marked and renamed ──→ forgotten by the registry
 * ```
 * Killed between any two, the same provisioning claims the same one again and finds how far it had come.
 */
export async function claimSpare({ run, tenant, driver, target, signal }: TenantScope): Promise<ClaimedSpare | null> {
  const { registry } = run;
  const { migrationsHash } = listPreparable(run, driver.name, driver.capabilities.isSharedDatabase);
  const operationId = tenant.homeOperationId;
  const claim = { cluster: tenant.cluster, driver: driver.name, tenant: tenant.id, operationId, migrationsHash };
  for (;;) {
    const spare = driver.handOver ? await registry.claimPreparedHome(claim) : null;
    if (spare === null) return null;
    if (!isOfUse(spare, run.migrator.forDriver(driver.name))) {
      // Made for other migrations than there are now: `pool fill` sees to it.
      await registry.returnPreparedHome(spare.id, operationId);
      return null;
    }
    const how = await driver.handOver?.(preparedTarget(spare, registry.id), target, signal);
    const isLeft = how === 'adopted' && (await isThere(driver.listAhead?.(registry.id), spare));
    // What the tenant has was another one, and this one was claimed in vain.
    if (isLeft) await registry.returnPreparedHome(spare.id, operationId);
    else await registry.forgetPreparedHome(spare.id);
    const known = spare.migrationsHash === null || isLeft ? null : spare;
    if (how !== 'absent') return { isAdopted: how === 'adopted', known };
    // Somebody has dropped it by hand: another will do.
  }
}

/** What it has is a beginning of the migrations that there are now; an empty one always is. */
function isOfUse(spare: PreparedHome, migrator: DriverMigrator): boolean {
  if (spare.migrationsHash === null) return true;
  try {
    return migrator.planRecorded(spare) !== null;
  } catch {
    return false;
  }
}

async function isThere(listing: Promise<readonly { readonly name: string }[]> | undefined, { name }: PreparedHome): Promise<boolean> {
  return ((await listing) ?? []).some((home) => home.name === name);
}
