export interface Waiter<K, T> {
  readonly wanted: K;
  grant(lent: T): void;
  refuse(error: unknown): void;
}

/** Those who wait for something to be lent to them, in the order of asking. Who lends calls them up from the front. */
export class WaitingLine<K, T> {
  readonly #waiters: Waiter<K, T>[] = [];
  #isClosed = false;

  get first(): Waiter<K, T> | undefined {
    return this.#waiters[0];
  }

  get length(): number {
    return this.#waiters.length;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** `takeBack`: gets what is granted to one who was called up, and had gone by then. @throws the signal's reason on abort. */
  join(wanted: K, signal: AbortSignal | undefined, takeBack: (late: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#isClosed) throw closedError();
      const onAbort = (): void => {
        const position = this.#waiters.indexOf(waiter);
        if (position >= 0) this.#waiters.splice(position, 1);
        reject(signal?.reason);
      };
      const waiter: Waiter<K, T> = {
        wanted,
        grant: (lent) => {
          signal?.removeEventListener('abort', onAbort);
          if (signal?.aborted === true) takeBack(lent);
          else resolve(lent);
        },
        refuse: (error) => {
          signal?.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Takes the first out of the line. */
  callUp(): void {
    this.#waiters.shift();
  }

  /** Refuses whoever waits, and whoever asks from now on. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(closedError());
  }
}

export function closedError(): Error {
  return new Error('the connections of this cluster have been closed');
}
