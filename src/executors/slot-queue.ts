import type { JobWithMetadata } from 'pg-boss';
import { sleep } from '../util/abort.js';
import { type Moment, takeMoment } from '../util/clock.js';
import { withLibpqTls } from '../util/libpq-tls.js';
import { loadPgBoss } from './load-pg-boss.js';
import { idOf, keyOf, type Slot } from './slot.js';
import { HEARTBEAT_S, keepHold, makeHolderQueue, type SlotHold } from './slot-hold.js';
import { decideHop, makeHopQueue } from './slot-hops.js';

/** Hands slots to workers. Which tenant is next it doesn't know: that the registry says, to whoever has a slot. */
export interface SlotQueue {
  /**
   * Sent again it changes nothing. Of several who offer a slot of the same place and hop at once, on whichever clusters, the first one decides, so that a
   * place never becomes two.
   */
  offer(slots: readonly Slot[]): Promise<void>;
  /** What there is of a run on these clusters. `isOver`: nobody has it, and nobody will. */
  listSlots(runId: string, clusters: readonly string[]): Promise<readonly { readonly slot: Slot; readonly isOver: boolean }[]>;
  /**
   * Takes up to `concurrency` slots of these clusters at a time, until `resting` aborts, and resolves when all that were taken have ended. A slot whose
   * handler rejects goes to somebody else; one whose process has died does so once its heartbeat is overdue.
   * `worker`: what this one is called, among all. `onIdle`: none is held, and none is to be had.
   */
  work(options: {
    readonly worker: string;
    readonly clusters: readonly string[];
    readonly concurrency: number;
    readonly resting: AbortSignal;
    /** True: the place may be sent on. */
    readonly handle: (hold: SlotHold) => Promise<boolean>;
    /** Once the queue knows that the slot has ended. */
    readonly sendOn: (slot: Slot) => Promise<void>;
    readonly onIdle: () => void;
  }): Promise<void>;
  close(): Promise<void>;
}

export interface SlotQueueOptions {
  /** Of the registry: the queue is in a schema of its own there. */
  readonly url: string;
  /** Directory that pg-boss is looked for from. */
  readonly root: string;
  /** Only who has these migrations takes from the queue: a digest of them. */
  readonly deployment: string;
  readonly onError: (error: Error) => void;
}

const SCHEMA = 'tenancy_queue';
/** How often overdue ones are looked for. */
const SUPERVISE_S = 5;
/** Longer than any run; the heartbeat tells who has died. */
const EXPIRE_S = 23 * 60 * 60;
const POLL_MS = 250;
/** Whoever has slots leaves the next to who has none, the longer the more it has. */
const YIELD_MS = { each: 50, most: 100 } as const;
const MANY_RETRIES = 10_000;
/** pg-boss' states of a job that somebody has, or will have. */
const LIVING: ReadonlySet<string> = new Set(['created', 'retry', 'active']);

/** @throws TenancyError as `loadPgBoss` does; pg-boss' own where the registry's login may not make its schema */
export async function openSlotQueue({ url, root, deployment, onError }: SlotQueueOptions): Promise<SlotQueue> {
  const { PgBoss } = await loadPgBoss(root);
  const boss = new PgBoss({
    connectionString: withLibpqTls(url),
    schema: SCHEMA,
    application_name: 'tenancy queue',
    max: 2,
    schedule: false,
    superviseIntervalSeconds: SUPERVISE_S,
    monitorIntervalSeconds: SUPERVISE_S,
  });
  boss.on('error', onError);
  await boss.start();
  const settings = { retryLimit: MANY_RETRIES, retryDelay: 0, expireInSeconds: EXPIRE_S, heartbeatSeconds: HEARTBEAT_S };
  const made = new Map<string, Promise<void>>();
  const queueOf = async (cluster: string): Promise<string> => {
    const name = `migrate-${deployment.slice(0, 16)}-${cluster}`;
    const making = made.get(name) ?? boss.createQueue(name, { policy: 'singleton', ...settings });
    made.set(name, making);
    await making;
    return name;
  };

  /** By the id of their job: one that was lost may be fetched again while what was in flight in it is being ended. */
  const handled = new Map<string, Promise<void>>();

  async function handleJob(
    job: JobWithMetadata<Slot>,
    fetchedAt: Moment,
    worker: string,
    { handle, sendOn }: Pick<Parameters<SlotQueue['work']>[0], 'handle' | 'sendOn'>,
    earlier: Promise<void> | undefined,
  ): Promise<void> {
    const hold = await keepHold(boss, job, worker, fetchedAt);
    try {
      await earlier;
      const mayGoOn = await handle(hold);
      await hold.end('done');
      if (mayGoOn) await sendOn(job.data).catch(onError);
    } catch (error) {
      await hold.end({ handedBack: error instanceof Error ? error.message : String(error) });
    } finally {
      hold.close();
    }
  }

  return {
    offer: async (slots) => {
      if (slots.length > 0) await makeHopQueue(boss);
      for (const asked of slots) {
        const slot = await decideHop(boss, asked);
        await boss.insert(await queueOf(slot.cluster), [{ id: idOf(slot), data: slot, singletonKey: keyOf(slot), ...settings }]);
      }
    },
    listSlots: async (runId, clusters) => {
      const found = await Promise.all(clusters.map(async (cluster) => boss.findJobs<Slot>(await queueOf(cluster), { data: { runId } })));
      return found.flat().map(({ data: slot, state }) => ({ slot, isOver: !LIVING.has(state) }));
    },
    work: async ({ worker, clusters, concurrency, resting, handle, sendOn, onIdle }) => {
      await makeHolderQueue(boss);
      const queues = await Promise.all(clusters.map(queueOf));
      const held = new Set<Promise<void>>();
      for (let turn = 0; !resting.aborted; turn += 1) {
        let isAnyFound = false;
        // Each of them is the first to be asked in its turn.
        for (const queue of [...queues.slice(turn % queues.length), ...queues.slice(0, turn % queues.length)]) {
          if (held.size >= concurrency || resting.aborted) break;
          const fetchedAt = takeMoment();
          const [job] = await boss.fetch<Slot>(queue, { includeMetadata: true }).catch((error: Error) => {
            onError(error);
            return [];
          });
          if (!job) continue;
          isAnyFound = true;
          const handling: Promise<void> = handleJob(job, fetchedAt, worker, { handle, sendOn }, handled.get(job.id))
            .catch(onError)
            .finally(() => {
              held.delete(handling);
              if (handled.get(job.id) === handling) handled.delete(job.id);
            });
          held.add(handling);
          handled.set(job.id, handling);
          break;
        }
        if (held.size === 0) onIdle();
        await sleep(isAnyFound ? Math.min(YIELD_MS.most, YIELD_MS.each * held.size) : POLL_MS, resting).catch(() => undefined);
      }
      await Promise.all(held);
    },
    close: () => boss.stop({ graceful: true, timeout: 5_000 }),
  };
}
