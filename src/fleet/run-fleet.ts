import pLimit, { type LimitFunction } from 'p-limit';
import type { TenantOutcome } from '../outcome.js';
import type { Throttle } from './throttle.js';

/** The tenants of one cluster, in the order in which they are to be started. */
export interface FleetLane<Item> {
  readonly name: string;
  /** Strict: never more of this lane in flight at once. */
  readonly cap: number;
  /** Pulled one at a time as slots come free, so memory doesn't grow with the fleet. */
  readonly tenants: AsyncIterable<Item>;
  /** Holds this lane, and no other, while it takes no place among all. */
  readonly throttle?: Throttle | undefined;
}

export interface FleetOptions<Item> {
  readonly lanes: readonly FleetLane<Item>[];
  /** Strict, over all lanes. */
  readonly concurrency: number;
  /** Handles one tenant. Must not reject: a failure is an outcome. */
  readonly run: (item: Item) => Promise<TenantOutcome>;
  /** Awaited before each item is started, with its slot taken: a run that is paused admits none. */
  readonly admit?: () => Promise<void>;
  /** Told each item that was never started, once `drain` has aborted. */
  readonly skip: (item: Item) => void | Promise<void>;
  /** Told each outcome before the next tenant may take its slot. */
  readonly settle: (outcome: TenantOutcome) => void;
  /** When aborted no further tenant is started; those in flight go on. */
  readonly drain: AbortSignal;
}

/**
 * Runs every tenant of every lane, first in first out within a lane, under a global cap and a cap for each lane.
 *
 * A lane waits for nobody but the global cap: a busy cluster never holds up another's tenants.
 * Rejects only for a failure of a lane's source or a bug in a callback, and then only after what was in flight has ended.
 */
export async function runFleet<Item>(options: FleetOptions<Item>): Promise<void> {
  const everywhere = pLimit(options.concurrency);
  await settleAll(options.lanes.map((lane) => runLane(lane, everywhere, options)));
}

async function runLane<Item>(lane: FleetLane<Item>, everywhere: LimitFunction, options: FleetOptions<Item>): Promise<void> {
  const here = pLimit(Math.min(lane.cap, options.concurrency));
  const inFlight = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | null = null;
  // Not a race of what is in flight: each race would leave its reaction on a tenant that takes long, one for each that passes it by.
  let onSlotFreed = (): void => undefined;

  function start(item: Item): void {
    const started = here(async () => {
      for (;;) {
        await lane.throttle?.admit();
        if (await everywhere(() => begin(item))) return;
      }
    })
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => {
        inFlight.delete(started);
        onSlotFreed();
      });
    inFlight.add(started);
  }

  /** False: the lane was held while the tenant waited for its place among all. */
  async function begin(item: Item): Promise<boolean> {
    if (lane.throttle?.isHeld) return false;
    await options.admit?.();
    // The signal may have come while the tenant waited for its slot.
    if (options.drain.aborted) await options.skip(item);
    else options.settle(await options.run(item));
    return true;
  }

  try {
    for await (const item of lane.tenants) {
      if (options.drain.aborted) {
        await options.skip(item);
        continue;
      }
      start(item);
      while (inFlight.size >= here.concurrency) {
        await new Promise<void>((resolve) => {
          onSlotFreed = resolve;
        });
      }
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (failure) throw (failure as { readonly error: unknown }).error;
}

async function settleAll(promises: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
