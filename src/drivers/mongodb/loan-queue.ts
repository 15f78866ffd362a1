interface Waiter {
  readonly grant: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * The sessions that may be lent at once; served in the order of asking. Connections are the client library's to keep: its pool has
 * the same bound, so that what a migration sends in parallel stays within it too.
 */
export class LoanQueue {
  readonly #waiters: Waiter[] = [];
  #free: number;
  #isClosed = false;

  constructor(most: number) {
    this.#free = most;
  }

  /** Resolves to what gives the place back. @throws the signal's reason on abort. */
  async borrow(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#isClosed) throw closedError();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let isBack = false;
    return () => {
      if (isBack) return;
      isBack = true;
      const next = this.#waiters.shift();
      if (next === undefined) this.#free++;
      else next.grant();
    };
  }

  /** Refuses whoever waits. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closedError());
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const settle = (): void => signal.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        grant: () => {
          settle();
          resolve();
        },
        refuse: (error) => {
          settle();
          reject(error);
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }
}

function closedError(): Error {
  return new Error('the connections of this cluster have been closed');
}
