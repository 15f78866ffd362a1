import type { Registry, TenantFilter } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';

/** Tenants that are read from the registry at a time. */
export const PAGE = 200;

/** In the order of ids, page by page. */
export async function* readTenants(registry: Registry, filter: TenantFilter): AsyncGenerator<Tenant> {
  let after: string | null = null;
  for (;;) {
    const page: readonly Tenant[] = await registry.listTenants(filter, { after, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last.id;
  }
}
