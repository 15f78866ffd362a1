import type { SlotHold } from '../../executors/slot-hold.js';
import type { RunDistribution } from '../../registry/registry.js';
import { sleep } from '../../util/abort.js';
import type { Workspace } from '../workspace.js';

const LOOK_MS = 500;

/** How the owner of its leases begins, whatever follows. */
export function ownerOfWorker(runId: string, worker: string): string {
  return `${runId}/${worker}.`;
}

interface Waiting {
  readonly workspace: Workspace;
  readonly distribution: RunDistribution;
  readonly worker: string;
  /** Then it waits no longer. */
  readonly resting: AbortSignal;
}

/**
 * Waits until nothing is in flight any more in a slot that others have had before and not given back. The queue says only that they were silent: as long as
 * their leases live, what they work on counts against the cap. What has expired is taken from them, so that none comes to life again after it was looked for;
 * where they are dead, that is all of it, and nothing is waited for.
 */
export async function awaitPredecessors({ workspace, distribution, worker, resting }: Waiting, hold: SlotHold): Promise<void> {
  const { slot, predecessors } = hold;
  const { runId, cluster } = slot;
  // What this process itself had in flight there it has waited for.
  const owners = predecessors.workers.filter((name) => name !== worker).map((name) => ownerOfWorker(runId, name));
  if (owners.length === 0) return;
  const signal = AbortSignal.any([resting, hold.lost]);
  const isOver = (): boolean => resting.aborted || hold.isLost();
  const listTheirs = async (): Promise<readonly string[]> =>
    (await distribution.listInFlight(runId))
      .filter((tenant) => tenant.cluster === cluster && owners.some((owner) => tenant.owner.startsWith(owner)))
      .map(({ id, owner }) => `${owner} ${id}`);
  await sleep(predecessors.heardWithinMs, signal).catch(() => undefined);
  await distribution.dropExpired(owners);
  // They begin nothing more in it; what they begin in others that they still have is none of ours.
  let left = await listTheirs();
  if (left.length > 0 && !isOver())
    workspace.notice(`a place on ${cluster} came from a worker that still has a tenant in flight: waiting for that`);
  while (left.length > 0 && !isOver()) {
    await sleep(LOOK_MS, signal).catch(() => undefined);
    await distribution.dropExpired(owners);
    const still = new Set(await listTheirs());
    left = left.filter((tenant) => still.has(tenant));
  }
}
