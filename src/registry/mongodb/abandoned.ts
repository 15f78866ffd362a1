import type { MongoClient, UUID } from 'mongodb';

interface IdleSession {
  readonly lsid: { readonly id: UUID };
}

/**
 * Ends transactions of registries whose process died, or stood still, in the middle of one. The server keeps them, and all that they wrote
 * to, for a minute after their client is gone (`transactionLifetimeLimitSeconds`), which is longer than a lease. They are undone, so
 * nothing is lost; a process that wakes up runs its own anew.
 *
 * Every user may see and kill their own sessions without a privilege for it (Manual, `$currentOp` and `killSessions`). Where the server offers
 * neither (Atlas' shared tiers), there remains the minute.
 */
export async function freeAbandoned(client: MongoClient, applicationName: string, idleMs: number): Promise<void> {
  const admin = client.db('admin');
  try {
    const sessions = await admin
      .aggregate<IdleSession>(
        [
          { $currentOp: { allUsers: false, idleSessions: true } },
          { $match: { type: 'idleSession', appName: applicationName, 'transaction.timeInactiveMicros': { $gt: idleMs * 1000 } } },
        ],
        { readConcern: { level: 'local' } },
      )
      .toArray();
    if (sessions.length > 0) await admin.command({ killSessions: sessions.map(({ lsid }) => ({ id: lsid.id })) });
  } catch {
    // The one who waits goes on waiting, and says so in the end.
  }
}
