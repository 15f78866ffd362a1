import type { AccessChange, TenantDriver } from '../drivers/driver.js';
import type { EmitRunEvent } from '../events.js';
import type { Tenant } from '../tenant.js';
import type { TenantScope } from './run-context.js';

/** Of one with logins of its own they are locked and their sessions ended, besides what the engine can do without. */
export async function cutTenantAccess({ tenant, driver, target, signal }: TenantScope): Promise<AccessChange> {
  const logins = tenant.login === null ? undefined : driver.logins;
  const locked = (await logins?.lock(target, null, signal)) ?? [];
  const cut = await driver.cutAccess(target, signal);
  if (locked.length === 0) return cut;
  const besides = cut.isEnforced ? `; ${cut.detail}` : '';
  return { isEnforced: true, detail: `${locked.join(', ')} can't log in any more, and what was open is closed${besides}` };
}

/** Those that are in use are let in again; one that a rotation has retired stays out. */
export async function restoreTenantAccess({ tenant, driver, target, signal }: TenantScope): Promise<AccessChange> {
  const restored = await driver.restoreAccess(target, signal);
  const { login } = tenant;
  if (login === null || !driver.logins) return restored;
  const names = [login.current, login.previous?.name].filter((name) => typeof name === 'string');
  if (names.length === 0) return restored;
  const open = await driver.logins.unlock(target, names, signal);
  const missing = names.filter((name) => !open.includes(name));
  if (missing.length === 0) return { isEnforced: true, detail: `${open.join(', ')} can log in again` };
  const detail = `${missing.join(', ')} is not on cluster ${tenant.cluster} any more: \`tenancy tenant rotate ${tenant.id}\` makes another`;
  return { isEnforced: false, detail };
}

/**
 * Of one that is about to be backed up and dropped, and that nobody can be kept out of: what is written between the two is in no backup.
 * To retain it loses nothing, since then the home itself is kept.
 */
export function warnStillOpen(emit: EmitRunEvent, { id }: Tenant, { capabilities }: TenantDriver, { detail }: AccessChange): void {
  const closes = capabilities.isSharedDatabase ? ', and closes the schema by renaming it' : '';
  const advice = `stop the application for this tenant first, since what it writes after the backup is lost with the drop; or \`--retain 30d\` keeps everything${closes}`;
  emit({ type: 'run.warned', code: 'TENANCY_ACCESS_NOT_ENFORCED', message: `${id}: ${detail}; ${advice}`, tenant: id });
}
