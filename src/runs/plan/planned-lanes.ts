import type { ResolvedConfig } from '../../config/types.js';
import type { RunMigrator } from '../../lifecycle/migrator.js';
import type { Registry } from '../../registry/registry.js';
import type { Tenant } from '../../tenant.js';
import { addWork, capClusters, decideConcurrency, type RunPlan, type Working } from '../lanes.js';
import { PAGE } from '../read-tenants.js';
import type { SavedGroup } from './saved-plan.js';

export interface PlannedLanesInput {
  readonly config: ResolvedConfig;
  readonly registry: Registry;
  readonly groups: readonly SavedGroup[];
  readonly concurrency: number | null;
  readonly migrator: RunMigrator;
}

/** The lanes of a saved plan: its tenants and no other, read anew page by page as their turn comes. */
export function planSaved({ config, registry, groups, concurrency, migrator }: PlannedLanesInput): RunPlan {
  const working = new Map<string, Working>();
  const ids = new Map<string, string[]>();
  for (const { cluster, driver, tenants } of groups) {
    const named = Object.keys(tenants);
    addWork(working, cluster, driver, named.length);
    ids.set(cluster, (ids.get(cluster) ?? []).concat(named));
  }
  const clusters = capClusters(config, working, migrator);
  const lanes = [...ids].map(([name, listed]) => ({
    name,
    cap: clusters[name]?.cap ?? 1,
    drivers: working.get(name)?.drivers ?? new Set(),
    tenants: { [Symbol.asyncIterator]: () => readIds(registry, listed) },
  }));
  const selected = [...ids.values()].reduce((total, listed) => total + listed.length, 0);
  return { selected, upToDate: 0, lanes, clusters, concurrency: decideConcurrency(config, concurrency, clusters) };
}

async function* readIds(registry: Registry, ids: readonly string[]): AsyncGenerator<Tenant> {
  for (let start = 0; start < ids.length; start += PAGE) {
    const page = ids.slice(start, start + PAGE);
    yield* await registry.listTenants({ ids: page }, { after: null, limit: page.length });
  }
}
