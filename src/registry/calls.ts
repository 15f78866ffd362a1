import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { TenancyError } from '../errors.js';
import { untilAborted } from '../util/abort.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';

/** How long a call that failed in passing is tried again. A lease lasts 15 s. */
export const RETRY_FOR_MS = 10_000;

const CLOSE_TIMEOUT_MS = 2_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

/** What the calls have to know of the store that they go to. */
export interface CallsOptions {
  /** For messages. */
  readonly where: string;
  /** Whether it failed in passing. */
  isTransient(error: unknown): boolean;
  /** Whether there is nobody: where that is the first thing we hear, asking again at once won't help. */
  isAbsent(error: unknown): boolean;
  /** Puts what the store or the network said into our own codes. */
  toRegistryError(error: unknown): unknown;
  /** Before the next attempt; its answer is about how long that waits, 100 ms unless told. */
  beforeRetry?(error: unknown, triedForMs: number): Promise<number>;
  /** Closes what is open, once no call is under way. */
  end(): Promise<void>;
  /** Destroys the sockets of what hangs. */
  cut(): void;
}

/** The calls to a registry that are under way: tried again where they fail in passing, and waited for when it is closed. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #patience = new AbortController();
  #wasReached = false;
  #closing: Promise<void> | undefined;

  constructor(options: CallsOptions) {
    this.#options = options;
    setMaxListeners(0, this.#patience.signal); // one for each call under way
  }

  /**
   * Carries it out, and again where it failed in passing, for up to 10 s. After a lost connection nobody knows whether it was carried out,
   * so it must bear being carried out twice.
   */
  repeat<T>(call: () => Promise<T>): Promise<T> {
    return this.#track(() => this.#persist(call));
  }

  once<T>(call: () => Promise<T>): Promise<T> {
    return this.#track(async () => {
      try {
        return await this.#attempt(call);
      } catch (error) {
        throw this.#options.toRegistryError(error);
      }
    });
  }

  /** Lets calls under way end, for two seconds at most, and resolves when all is closed. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    const { where, cut, end } = this.#options;
    const timeout = setTimeout(() => {
      this.#patience.abort(new TenancyError('TENANCY_REGISTRY_UNREACHABLE', { where, reason: 'it did not answer in time' }));
      cut();
    }, CLOSE_TIMEOUT_MS);
    await Promise.allSettled(this.#underWay);
    await end();
    clearTimeout(timeout);
  }

  #track<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(new Error('the registry is closed'));
    const promise = call().finally(() => this.#underWay.delete(promise));
    this.#underWay.add(promise);
    return promise;
  }

  async #attempt<T>(call: () => Promise<T>): Promise<T> {
    const result = await untilAborted(call, this.#patience.signal);
    this.#wasReached = true;
    return result;
  }

  async #persist<T>(call: () => Promise<T>): Promise<T> {
    const startMs = monotonicMs();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(call);
      } catch (error) {
        const { isTransient, isAbsent, toRegistryError, beforeRetry } = this.#options;
        const isHopeless = !isTransient(error) || (isAbsent(error) && !this.#wasReached) || this.#closing !== undefined;
        if (isHopeless || elapsedMs(startMs) > RETRY_FOR_MS) throw toRegistryError(error);
        await delay(backOffMs(attempt, (await beforeRetry?.(error, elapsedMs(startMs))) ?? FIRST_DELAY_MS));
      }
    }
  }
}

/** Full jitter: processes that failed together don't come back together. */
function backOffMs(attempt: number, firstMs: number): number {
  return randomInt(Math.ceil(firstMs / 2), Math.min(LONGEST_DELAY_MS, firstMs * 2 ** Math.min(attempt, 10)));
}
