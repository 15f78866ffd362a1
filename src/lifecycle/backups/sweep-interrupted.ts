import type { TenantScope } from '../run-context.js';
import { removeDrafts } from './backup-folder.js';
import { removeScratch } from './scratch.js';

/** Before the drop, which would wait for a tool that has outlived its command. True: there is more of it, for after the drop. */
export async function stopInterrupted({ driver, target, signal }: TenantScope): Promise<boolean> {
  return (await driver.backups?.stop(target, signal)) ?? false;
}

/**
 * What a backup or a restore that was killed has left outside of the home: nobody comes back for it once the tenant is gone, and its next life has other
 * names. After the drop, since a role can't be dropped while it owns something in the home.
 */
export async function sweepInterrupted(scope: TenantScope, isLeft: boolean): Promise<void> {
  const { run, tenant, driver, target, signal } = scope;
  if (isLeft) await driver.backups?.sweep(target, signal);
  if (tenant.activatedAt === null) await driver.backups?.sweepLoaded?.(target, signal);
  await removeScratch(scope);
  const { backups } = run.config;
  if (backups !== null) await removeDrafts(backups.directory, tenant.id, run.registry.id);
}
