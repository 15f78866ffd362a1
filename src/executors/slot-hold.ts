import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { ageMs, type Moment, takeMoment } from '../util/clock.js';
import { hashToUuid, idOf, type Slot } from './slot.js';

/** So long after its last sign of life a worker's slots go to others. */
export const HEARTBEAT_S = 30;
const BEAT_MS = (HEARTBEAT_S * 1_000) / 3;
/** From this age of its last good sign of life on a worker takes its slot for lost, before the queue can have given it to another. */
const SURE_MS = HEARTBEAT_S * 1_000 - 5_000;
/** A worker that lives, and whose slot was given away all the same, knows it after so long: it asks once a beat. */
const HEARD_MS = BEAT_MS + 2_000;
/** So many that died one after the other in the same slot are remembered. */
const MOST_PREDECESSORS = 20;
/** Who has had which slot: jobs that nobody fetches. */
const HOLDERS = 'slot-holders';
/** Longer than any run. */
const KEEP_HOLDERS_S = 7 * 24 * 60 * 60;

/** A slot that this worker has, until it has ended or the queue has given it to another. */
export interface SlotHold {
  readonly slot: Slot;
  /**
   * Aborts when the queue has given the slot to another, or may have: nothing more is to be begun in it. What is in flight there is ended, and whoever has the
   * slot by now waits for that.
   */
  readonly lost: AbortSignal;
  /** The same, and by this process's own clock too: one that stood still and wakes up has heard nothing yet. */
  isLost(): boolean;
  readonly predecessors: Predecessors;
}

/** Workers whose slot this was, and that didn't give it back themselves: what they have in flight still counts against the cap. */
export interface Predecessors {
  readonly workers: readonly string[];
  /** How long they may go on to begin tenants, since the queue has taken the slot from them without their having been silent. */
  readonly heardWithinMs: number;
}

export interface KeptHold extends SlotHold {
  /** Gives the slot back, or ends it for good; does nothing where it is another's by now: pg-boss would take it from them. */
  end(how: 'done' | { readonly handedBack: string }): Promise<void>;
  close(): void;
}

interface HolderRecord {
  readonly worker: string;
  readonly before: readonly string[];
}

export async function makeHolderQueue(boss: PgBoss): Promise<void> {
  await boss.createQueue(HOLDERS, { retentionSeconds: KEEP_HOLDERS_S });
}

/**
 * Keeps a slot alive, and knows whether it is this worker's still. To pg-boss the job's id is all: who touches, completes or fails it is not asked whether they
 * have it. So each fetch is told apart by its number, which the job has from then on.
 * @param fetchedAt before the queue was asked
 */
export async function keepHold(boss: PgBoss, job: JobWithMetadata<Slot>, worker: string, fetchedAt: Moment): Promise<KeptHold> {
  const { id, name: queue, data: slot, retryCount: attempt } = job;
  const lost = new AbortController();
  let sureAt = fetchedAt;

  /** Touched first: where it is found to be ours after that, nobody else can have it before the heartbeat is overdue anew. */
  async function isOurs(): Promise<boolean> {
    const askedAt = takeMoment();
    await boss.touch(queue, id);
    const found = await boss.getJobById<Slot>(queue, id);
    const isSame = found?.state === 'active' && found.retryCount === attempt;
    if (isSame) sureAt = askedAt;
    return isSame;
  }

  function lose(): void {
    if (!lost.signal.aborted) lost.abort(new Error('the queue has given the slot to another'));
  }

  const beating = setInterval(() => {
    isOurs().then(
      (isSame) => {
        if (!isSame) lose();
      },
      // Out of reach: our own clock says how long that may go on.
      () => undefined,
    );
  }, BEAT_MS);
  try {
    const before = await readBefore(boss, job);
    const data: HolderRecord = { worker, before: before.workers };
    await boss.insert(HOLDERS, [{ id: idOfHolder(slot, attempt), data, retentionSeconds: KEEP_HOLDERS_S }]);
    return {
      slot,
      lost: lost.signal,
      isLost: () => {
        if (ageMs(sureAt) > SURE_MS) lose();
        return lost.signal.aborted;
      },
      predecessors: before,
      end: async (how) => {
        clearInterval(beating);
        if (!(await isOurs())) return;
        if (how === 'done') await boss.complete(queue, id);
        else await boss.fail(queue, id, { message: how.handedBack, endedAttempt: attempt });
      },
      close: () => clearInterval(beating),
    };
  } catch (error) {
    clearInterval(beating);
    throw error;
  }
}

async function readBefore(boss: PgBoss, { data: slot, retryCount, output }: JobWithMetadata<Slot>): Promise<Predecessors> {
  const nobody: Predecessors = { workers: [], heardWithinMs: 0 };
  if (retryCount === 0) return nobody;
  const told = (output ?? {}) as { readonly endedAttempt?: number; readonly value?: { readonly message?: string } };
  if (told.endedAttempt === retryCount - 1) return nobody;
  const record = await boss.getJobById<HolderRecord>(HOLDERS, idOfHolder(slot, retryCount - 1));
  if (record === null) return nobody;
  const { worker, before } = record.data;
  // So pg-boss says it. Whoever was silent for so long has lost the slot by its own clock before.
  const wasSilent = told.value?.message === 'job heartbeat timeout';
  return { workers: [...new Set([worker, ...before])].slice(0, MOST_PREDECESSORS), heardWithinMs: wasSilent ? 0 : HEARD_MS };
}

function idOfHolder(slot: Slot, attempt: number): string {
  return hashToUuid(`${idOf(slot)}@${attempt}`);
}
