import { TenancyError } from '../errors.js';
import type { Registry } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';

/** @throws TenancyError `TENANCY_TENANT_NOT_FOUND`, with the ids that are like it. */
export async function requireTenant(registry: Registry, id: string): Promise<Tenant> {
  const tenant = await registry.findTenant(id);
  if (tenant) return tenant;
  throw new TenancyError('TENANCY_TENANT_NOT_FOUND', { ids: [id], suggestions: await registry.suggestTenants(id) });
}
