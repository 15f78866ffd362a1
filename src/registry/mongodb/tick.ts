import type { RegistryConnection } from './connection.js';
import { damaged } from './damage.js';

/** The server's time, and numbers that nobody else has or will have. */
export interface Tick {
  readonly now: Date;
  readonly first: number;
}

/**
 * One round trip to the one counter of everything: fences, events, runs and steps. It is counted outside of any transaction, so that those
 * don't run into each other here; what isn't used is a gap, as in a sequence of SQL.
 *
 * Within a transaction it is asked for *after* the documents have been read. Whoever changes one of them after somebody else has then read
 * the other's change (else the transaction is run anew), and so has greater numbers and a later time.
 */
export async function tick(db: RegistryConnection, count: number): Promise<Tick> {
  const counter = await db.collections.counters.findOneAndUpdate(
    { _id: 'sequence' },
    [{ $set: { value: { $add: ['$value', count] }, at: '$$NOW' } }],
    { returnDocument: 'after' },
  );
  if (counter?.at !== undefined) return { now: counter.at, first: counter.value - count + 1 };
  throw damaged(db, 'tenancy.counters has lost its document');
}
