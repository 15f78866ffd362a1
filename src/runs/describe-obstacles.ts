import { planBackup } from '../lifecycle/backups/back-up.js';
import { folderOf } from '../lifecycle/backups/backup-folder.js';
import type { Registry } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import type { Workspace } from './workspace.js';

/** What a drop of this tenant would refuse for. Reads only. */
export async function describeObstacles(workspace: Workspace, registry: Registry, tenant: Tenant): Promise<readonly string[]> {
  const engine = await workspace.clusters(registry, { dryRun: true }).engine(tenant.cluster, tenant.id);
  const marker = { tenant: tenant.id, registry: registry.id, operation: tenant.homeOperationId };
  return engine.driver(tenant.driver).planDrop({ name: tenant.name, marker });
}

/** Where the backup of this tenant would go, and what would make it; null where none of our own would be made. Reads only. */
export async function describeBackup(
  workspace: Workspace,
  registry: Registry,
  tenant: Tenant,
  signal: AbortSignal,
): Promise<{ readonly directory: string; readonly tool: string } | null> {
  const engine = await workspace.clusters(registry, { dryRun: true }).engine(tenant.cluster, tenant.id);
  const way = await planBackup({ config: workspace.config, runId: '' }, engine.driver(tenant.driver), { signal, isDry: true });
  return way?.type === 'own' ? { directory: folderOf(way.directory, tenant.id), tool: way.tools.described } : null;
}
