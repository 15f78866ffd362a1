import { useCluster } from '../lifecycle/clusters.js';
import { tenantUrl } from '../lifecycle/logins.js';
import { parseTenantId } from '../tenant.js';
import { requireTenant } from './require-tenant.js';
import type { Workspace } from './workspace.js';

/** A URL for one tenant: by its own login, or by the cluster's where it has none. */
export async function connectionUrlOf(workspace: Workspace, rawId: string): Promise<string> {
  const id = parseTenantId(rawId);
  const registry = await workspace.registry();
  const tenant = await requireTenant(registry, id);
  const clusters = workspace.clusters(registry);
  try {
    const target = { name: tenant.name, marker: { tenant: tenant.id, registry: registry.id, operation: tenant.homeOperationId } };
    return await useCluster(clusters, { name: tenant.cluster, neededBy: tenant.id }, (engine) =>
      tenantUrl(workspace.config, tenant, engine.driver(tenant.driver), target),
    );
  } finally {
    await clusters.close();
  }
}
