import { setTimeout as delay } from 'node:timers/promises';

/** Waits, or rejects with the signal's reason as soon as it aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  try {
    await delay(ms, undefined, signal ? { signal } : undefined);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Settles with the promise; once the signal aborts the promise has so long to settle, then this rejects with the signal's reason. */
export function untilOverdue<T>(promise: Promise<T>, signal: AbortSignal, graceMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      timer = setTimeout(() => reject(signal.reason), graceMs);
    };
    const stop = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.finally(stop).then(resolve, reject);
  });
}

export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Of its own accord, and not of a source's. */
  abort(reason: unknown): void;
  /** From now on it follows its sources no longer, and nothing of it is left with them. */
  release(): void;
}

/**
 * A signal that aborts as soon as one of the others does, for the same reason. `AbortSignal.any` does as much for as long as the others live,
 * by weak references: over thousands of tenants these make a good part of the work of the garbage collector.
 */
export function linkSignals(sources: readonly AbortSignal[]): LinkedSignal {
  const controller = new AbortController();
  const follow = (): void => controller.abort(sources.find(({ aborted }) => aborted)?.reason);
  if (sources.some(({ aborted }) => aborted)) follow();
  else for (const source of sources) source.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => {
      for (const source of sources) source.removeEventListener('abort', follow);
    },
  };
}

/**
 * Settles with what it begins, or rejects with the signal's reason, whichever is first; once the signal has aborted it begins nothing. What
 * was begun may fail later, which is nobody's any more.
 */
export async function untilAborted<T>(begin: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => signal.removeEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([begin(), aborted]);
  } finally {
    stop();
  }
}

/** Whether it settled in time, in whichever way. What comes later is nobody's any more. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, overdue]);
  } finally {
    clearTimeout(timer);
  }
}
