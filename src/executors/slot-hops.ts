import type { PgBoss } from 'pg-boss';
import { idOf, type Slot } from './slot.js';

/** Where each place was sent: jobs that nobody fetches. A job's id is its queue's own, and each cluster has a queue. */
const HOPS = 'slot-hops';
/** Longer than any run. */
const KEEP_S = 7 * 24 * 60 * 60;

export async function makeHopQueue(boss: PgBoss): Promise<void> {
  await boss.createQueue(HOPS, { retentionSeconds: KEEP_S });
}

/** Writes down where this place goes next, and gives what stands there: of several who write at once the first one has decided for all. */
export async function decideHop(boss: PgBoss, slot: Slot): Promise<Slot> {
  const id = idOf(slot);
  await boss.insert(HOPS, [{ id, data: slot, retentionSeconds: KEEP_S }]);
  const written = await boss.getJobById<Slot>(HOPS, id);
  if (written === null) throw new Error(`the queue has lost where place ${slot.place} of the run ${slot.runId} was sent`);
  return written.data;
}
