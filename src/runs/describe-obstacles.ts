import type { TenantDriver, TenantTarget } from '../drivers/driver.js';
import type { EmitRunEvent } from '../events.js';
import { planBackup } from '../lifecycle/backups/back-up.js';
import { folderOf } from '../lifecycle/backups/backup-folder.js';
import { useCluster } from '../lifecycle/clusters.js';
import { warnStillOpen } from '../lifecycle/tenant-access.js';
import type { Registry } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import type { Workspace } from './workspace.js';

/** What a drop of this tenant would refuse for. Reads only. */
export async function describeObstacles(workspace: Workspace, registry: Registry, tenant: Tenant): Promise<readonly string[]> {
  return withHome(workspace, registry, tenant, ({ driver, target }) => driver.planDrop(target));
}

/** Says of one that would be backed up and then dropped that nobody can be kept out of it meanwhile. Reads only. */
export async function warnWhereStaysOpen(workspace: Workspace, registry: Registry, tenant: Tenant, emit: EmitRunEvent): Promise<void> {
  await withHome(workspace, registry, tenant, async ({ driver, target }) => {
    if (tenant.login !== null && driver.logins !== undefined) return;
    const { status } = await driver.probe(target, { isFromOutside: true });
    if (status !== 'ours') return;
    const cut = await driver.planCutAccess(target);
    if (!cut.isEnforced) warnStillOpen(emit, tenant, driver, cut);
  });
}

/** Where the backup of this tenant would go, and what would make it; null where none of our own would be made. Reads only. */
export async function describeBackup(
  workspace: Workspace,
  registry: Registry,
  tenant: Tenant,
  signal: AbortSignal,
): Promise<{ readonly directory: string; readonly tool: string } | null> {
  const way = await withHome(workspace, registry, tenant, ({ driver, target }) =>
    planBackup({ config: workspace.config, runId: '' }, driver, { signal, target, isDry: true }),
  );
  return way?.type === 'own' ? { directory: folderOf(way.directory, tenant.id), tool: way.tools.described } : null;
}

function withHome<T>(
  workspace: Workspace,
  registry: Registry,
  tenant: Tenant,
  use: (home: { readonly driver: TenantDriver; readonly target: TenantTarget }) => Promise<T>,
): Promise<T> {
  const clusters = workspace.clusters(registry, { dryRun: true });
  const marker = { tenant: tenant.id, registry: registry.id, operation: tenant.homeOperationId };
  return useCluster(clusters, { name: tenant.cluster, neededBy: tenant.id }, (engine) =>
    use({ driver: engine.driver(tenant.driver), target: { name: tenant.name, marker } }),
  );
}
