/**
 * Group commit: what arrives while one call is under way travels together in the next.
 * One item alone is sent at once, so a quiet caller never waits for company.
 */
export interface Batcher<Item, Result> {
  add(item: Item): Promise<Result>;
  /** Resolves when everything added so far has settled; never rejects. */
  drain(): Promise<void>;
}

/**
 * `lingerMs`: for items that nobody waits for but the end, how long a message waits for more of them; `drain` cuts it short.
 * `send` answers with one result for each item, in the same order. Its rejection rejects every item of that batch.
 */
export function createBatcher<Item, Result>(
  send: (items: readonly Item[]) => Promise<readonly Result[]>,
  options: { readonly maxItems: number; readonly lingerMs?: number },
): Batcher<Item, Result> {
  interface Waiting {
    readonly item: Item;
    resolve(result: Result): void;
    reject(error: unknown): void;
  }
  let waiting: Waiting[] = [];
  let sending: Promise<void> | null = null;

  let isDraining = false;
  let hurry = (): void => undefined;

  async function linger(): Promise<void> {
    const { lingerMs = 0 } = options;
    if (lingerMs === 0 || isDraining || waiting.length >= options.maxItems) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMs);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function sendAll(): Promise<void> {
    // One turn of the event loop lets callers that were woken together share the first message too.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      await linger();
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
      isDraining = true;
      hurry();
      while (sending) await sending;
      isDraining = false;
    },
  };
}
