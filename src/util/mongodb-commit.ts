import type { ClientSession } from 'mongodb';

/** The client library asks whatever ended a commit for its labels, and what a socket says of its reset while it is written to has none. */
const ASKED_FOR_LABELS = /hasErrorLabel is not a function/;

/**
 * Commits the session's transaction, once. Where the connection was reset while the commit was being sent, the library (7.8's
 * `shouldUnpinAfterCommitError`) ends with a TypeError of its own instead of the socket's error; here that is a lost connection, as it was.
 *
 * @throws what the server or the network said.
 */
export async function commitTransaction(session: ClientSession): Promise<void> {
  try {
    await session.commitTransaction();
  } catch (error) {
    if (!(error instanceof TypeError) || !ASKED_FOR_LABELS.test(error.message)) throw error;
    const lost = new Error('the connection was reset while the commit was being sent', { cause: error });
    throw Object.assign(lost, { code: 'ECONNRESET' });
  }
}
