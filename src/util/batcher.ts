/**
 * Group commit: what arrives while one call is under way travels together in the next.
 * One item alone is sent at once, so a quiet caller never waits for company.
 */
export interface Batcher<Item, Result> {
  add(item: Item): Promise<Result>;
  /** Resolves when everything added so far has settled; never rejects. */
  drain(): Promise<void>;
}

/** `send` answers with one result for each item, in the same order. Its rejection rejects every item of that batch. */
export function createBatcher<Item, Result>(
  send: (items: readonly Item[]) => Promise<readonly Result[]>,
  options: { readonly maxItems: number },
): Batcher<Item, Result> {
  interface Waiting {
    readonly item: Item;
    resolve(result: Result): void;
    reject(error: unknown): void;
  }
  let waiting: Waiting[] = [];
  let sending: Promise<void> | null = null;

  async function sendAll(): Promise<void> {
    // One turn of the event loop lets callers that were woken together share the first message too.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.slice(0, options.maxItems);
      waiting = waiting.slice(options.maxItems);
      try {
        const results = await send(batch.map(({ item }) => item));
        batch.forEach((entry, index) => {
          entry.resolve(results[index] as Result);
        });
      } catch (error) {
        for (const entry of batch) entry.reject(error);
      }
    }
    sending = null;
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        sending ??= sendAll();
      }),
    drain: async () => {
      while (sending) await sending;
    },
  };
}
