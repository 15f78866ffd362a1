import type { HookContext } from '../src/config/types.js';
import { TenancyError } from '../src/errors.js';
import type { DriverName } from '../src/tenant.js';

/** A hook for one kind of tenant, met by a tenant of another: nothing of it is done. */
export function requireDriver(ctx: HookContext, needed: DriverName, hook: string): void {
  const { name } = ctx.driver;
  if (name === needed) return;
  throw new TenancyError('TENANCY_HOOK_DRIVER_MISMATCH', { tenant: ctx.tenant.id, hook, needed, driver: name });
}
