import { REMOVED } from '../lifecycle/transitions.js';
import type { Registry, TenantFilter } from '../registry/registry.js';
import { leaveOutEnded } from './continued-run.js';
import { readTenants } from './read-tenants.js';

/**
 * How many tenants of a run's selection somebody has begun to remove since it began, before their turn came: they have no outcome in it, and
 * weren't brought up to date. Reads the registry only where `missing`, those without an outcome, is more than none.
 */
export async function countRemoved(
  registry: Registry,
  { runId, filter, missing }: { readonly runId: string; readonly filter: TenantFilter; readonly missing: number },
): Promise<number> {
  if (missing <= 0) return 0;
  const startedAt = (await registry.findRun(runId))?.startedAt;
  if (startedAt === undefined) return 0;
  // What was to be reached says nothing of those that have left.
  const { notAt: _, ...selection } = filter;
  let removed = 0;
  for await (const { updatedAt } of leaveOutEnded(registry, runId, readTenants(registry, { ...selection, statuses: REMOVED }))) {
    if (updatedAt >= startedAt) removed += 1;
    if (removed === missing) break;
  }
  return removed;
}
