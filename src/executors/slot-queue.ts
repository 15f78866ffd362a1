import { createHash } from 'node:crypto';
import { sleep } from '../util/abort.js';
import { withLibpqTls } from '../util/libpq-tls.js';
import { loadPgBoss } from './load-pg-boss.js';

/** The right to have one tenant of a cluster in flight, for as long as a run has any left: as many of them as the cluster's cap. */
export interface Slot {
  readonly runId: string;
  readonly cluster: string;
  /** From 0. */
  readonly number: number;
}

/** Hands slots to workers. Which tenant is next it doesn't know: that the registry says, to whoever has a slot. */
export interface SlotQueue {
  /** Sent again it changes nothing: a slot's job has an id of its own making. */
  offer(slots: readonly Slot[]): Promise<void>;
  /**
   * Takes up to `concurrency` slots of these clusters at a time, until `resting` aborts, and resolves when all that were taken have ended. A slot whose
   * handler rejects goes to somebody else; one whose process has died does so once its heartbeat is overdue.
   * `lost`: the queue has given the slot to another. `onIdle`: none is held, and none is to be had.
   */
  work(options: {
    readonly clusters: readonly string[];
    readonly concurrency: number;
    readonly resting: AbortSignal;
    readonly handle: (slot: Slot, lost: AbortSignal) => Promise<void>;
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
/** So long after its last sign of life a worker's slots go to others. */
const HEARTBEAT_S = 30;
/** How often overdue ones are looked for. */
const SUPERVISE_S = 5;
/** Longer than any run; the heartbeat tells who has died. */
const EXPIRE_S = 23 * 60 * 60;
const POLL_MS = 250;
/** Whoever has slots leaves the next to who has none, the longer the more it has. */
const YIELD_MS = { each: 50, most: 100 } as const;
const MANY_RETRIES = 10_000;

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

  async function handleJob(
    queue: string,
    { id, data }: { readonly id: string; readonly data: Slot },
    handle: (slot: Slot, lost: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const lost = new AbortController();
    const beating = setInterval(
      () => {
        boss.touch(queue, id).then(
          (answer) => {
            if ((answer as { readonly affected?: number }).affected === 0) lost.abort(new Error('the queue has given the slot to another'));
          },
          // Out of reach: the lease of the tenant in flight is what counts, and that is looked after elsewhere.
          () => undefined,
        );
      },
      (HEARTBEAT_S * 1_000) / 3,
    );
    try {
      await handle(data, lost.signal);
      await boss.complete(queue, id);
    } catch (error) {
      await boss.fail(queue, id, { message: error instanceof Error ? error.message : String(error) });
    } finally {
      clearInterval(beating);
    }
  }

  return {
    offer: async (slots) => {
      for (const slot of slots) {
        const queue = await queueOf(slot.cluster);
        await boss.insert(queue, [{ id: idOf(slot), data: slot, singletonKey: keyOf(slot), ...settings }]);
      }
    },
    work: async ({ clusters, concurrency, resting, handle, onIdle }) => {
      const queues = await Promise.all(clusters.map(queueOf));
      const held = new Set<Promise<void>>();
      for (let turn = 0; !resting.aborted; turn += 1) {
        let isAnyFound = false;
        // Each of them is the first to be asked in its turn.
        for (const queue of [...queues.slice(turn % queues.length), ...queues.slice(0, turn % queues.length)]) {
          if (held.size >= concurrency || resting.aborted) break;
          const [job] = await boss.fetch<Slot>(queue).catch((error: Error) => {
            onError(error);
            return [];
          });
          if (!job) continue;
          isAnyFound = true;
          const handling = handleJob(queue, job, handle)
            .catch(onError)
            .finally(() => held.delete(handling));
          held.add(handling);
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

function keyOf({ runId, cluster, number }: Slot): string {
  return `${runId}#${cluster}#${number}`;
}

/** A UUID that is made of the slot's key. */
function idOf(slot: Slot): string {
  const hex = createHash('sha256').update(keyOf(slot)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
