import type { SlotQueue } from '../../executors/slot-queue.js';
import type { Run } from '../../registry/registry.js';
import { capTenants } from '../lanes.js';
import type { Workspace } from '../workspace.js';
import { isOfWorkers, readDistributed, readTenantsOfRun, requireDistribution } from './deployment.js';
import { isAnyFree, isAnyTaken, type OpenCluster, sendOnPlaces } from './places.js';
import { makeRunMigrator } from './run-migrator.js';
import { settleRun } from './settle.js';

/**
 * Sends the places of a run that have come free to the clusters that have tenants left, and ends the run where there are neither: a cluster may have been
 * done before the others, have had no place at first, or got somebody to migrate since. Anybody may do it, at any time. True: some were sent on.
 */
export async function tendPlaces(workspace: Workspace, queue: SlotQueue, runId: string): Promise<boolean> {
  const registry = await workspace.registry();
  const distribution = requireDistribution(registry);
  const run = await registry.findRun(runId);
  const distributed = run && readDistributed(run);
  if (!run || !distributed || !isOfWorkers(run)) return false;
  const slots = await queue.listSlots(runId, Object.keys(workspace.config.clusters));
  const places = { runId, places: distributed.places, slots };
  if (!isAnyFree(places)) return false;
  const left = await distribution.listLeft(runId, readTenantsOfRun(run));
  if (left.length === 0) {
    if (!isAnyTaken(places)) await settleRun(registry, run, null);
    return false;
  }
  const sent = sendOnPlaces(places, await capLeft(workspace, run, left));
  await queue.offer(sent);
  return sent.length > 0;
}

/** Of the clusters that are known here. */
async function capLeft(
  workspace: Workspace,
  run: Run,
  left: Awaited<ReturnType<Distribution['listLeft']>>,
): Promise<readonly OpenCluster[]> {
  const migrator = await makeRunMigrator(workspace, run);
  return left.flatMap(({ cluster, tenants, drivers }) => {
    const known = workspace.config.clusters[cluster];
    return known ? [{ cluster, tenants, cap: capTenants(known, new Set(drivers), migrator) }] : [];
  });
}

type Distribution = ReturnType<typeof requireDistribution>;
