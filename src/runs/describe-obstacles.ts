import type { Registry } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import type { Workspace } from './workspace.js';

/** What a drop of this tenant would refuse for. Reads only. */
export async function describeObstacles(workspace: Workspace, registry: Registry, tenant: Tenant): Promise<readonly string[]> {
  const engine = await workspace.clusters(registry, { dryRun: true }).engine(tenant.cluster, tenant.id);
  const marker = { tenant: tenant.id, registry: registry.id, operation: tenant.homeOperationId };
  return engine.driver(tenant.driver).planDrop({ name: tenant.name, marker });
}
