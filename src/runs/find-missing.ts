import { TenancyError } from '../errors.js';
import type { Registry, TenantFilter } from '../registry/registry.js';

/** Ids that were named must all be registered, before anything is done to any. @throws TenancyError `TENANCY_TENANT_NOT_FOUND`. */
export async function findMissing(registry: Registry, { ids }: TenantFilter): Promise<void> {
  if (!ids) return;
  const found = new Set<string>();
  for (let start = 0; start < ids.length; start += 500) {
    const batch = ids.slice(start, start + 500);
    for (const { id } of await registry.listTenants({ ids: batch }, { after: null, limit: batch.length })) found.add(id);
  }
  const missing = ids.filter((id) => !found.has(id));
  const [first] = missing;
  if (first === undefined) return;
  throw new TenancyError('TENANCY_TENANT_NOT_FOUND', { ids: missing, suggestions: await registry.suggestTenants(first) });
}
