import { setTimeout as delay } from 'node:timers/promises';
import type { ClientSession, MongoClient } from 'mongodb';
import { elapsedMs, monotonicMs } from '../../util/clock.js';
import { commitTransaction } from '../../util/mongodb-commit.js';
import { isCommitUnknown, isUndone, toRegistryError } from './failures.js';
import type { RegistryPlace } from './place.js';

const BETWEEN_COMMITS_MS = 100;

/** Once, in a session of its own. Reads of one moment that a majority has; committed once a majority has it. */
export async function runTransaction<T>(
  client: MongoClient,
  work: (session: ClientSession) => Promise<T>,
  { place, retryForMs }: { readonly place: RegistryPlace; readonly retryForMs: number },
): Promise<T> {
  const session = client.startSession();
  try {
    session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' }, readPreference: 'primary' });
    const result = await work(session);
    await commit(session, place, retryForMs);
    return result;
  } finally {
    // Aborts what was not committed.
    await session.endSession();
  }
}

/**
 * The server knows a transaction by its session and number, and answers a commit that is sent again as it did the first time. So nothing is
 * run anew that may have come through: such an error is put into our own words here, which nobody tries again.
 */
async function commit(session: ClientSession, place: RegistryPlace, retryForMs: number): Promise<void> {
  const startMs = monotonicMs();
  for (;;) {
    try {
      return await commitTransaction(session);
    } catch (error) {
      if (isUndone(error)) throw error;
      if (!isCommitUnknown(error) || elapsedMs(startMs) > retryForMs) throw toRegistryError(error, place);
      await delay(BETWEEN_COMMITS_MS);
    }
  }
}
