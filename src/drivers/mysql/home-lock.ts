import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { numberOf } from './classify.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, lockName, readRow, withConnection } from './engine-context.js';

/** A statement of a client that has died holds the lock until it ends: CREATE and DROP of a database are done within that. */
const WAIT_S = 30;
/** Whoever is at work with a home sends one statement after the other; one that is silent for as long stands still, and its lease is over. */
const SILENT_S = 5;

/**
 * Runs what makes, marks or drops a home with the home's lock held. It is the server's as a whole, and goes with the
 * connection: so nobody looks at a home that a statement of a process long dead may still be changing. Whoever asks has the tenant's
 * lease, so a holder that only stands still has lost its own, and would hold the lock for ever: its connection is ended.
 * @throws TenancyError `TENANCY_TENANT_BUSY`
 */
export async function withHomeLock<T>(
  context: EngineContext,
  { name, marker }: TenantTarget,
  signal: AbortSignal | undefined,
  use: (connection: ServerConnection) => Promise<T>,
): Promise<T> {
  const lock = lockName('home', name);
  return withConnection(context, signal, async (connection) => {
    let holder = await takeLock(connection, lock, SILENT_S + 1);
    if (holder !== null) {
      await endSilent(connection, holder);
      holder = await takeLock(connection, lock, WAIT_S - SILENT_S - 1);
    }
    if (holder !== null) {
      throw new TenancyError('TENANCY_TENANT_BUSY', {
        tenant: marker.tenant,
        holder: `connection ${holder} of the server`,
        waitedMs: WAIT_S * 1000,
      });
    }
    // Given back with the connection, by its reset.
    return use(connection);
  });
}

/** Null once it is ours, else the number of who has it. */
async function takeLock(connection: ServerConnection, lock: string, waitS: number): Promise<number | null> {
  const sql = 'SELECT GET_LOCK(?, ?) AS got, IS_USED_LOCK(?) AS holder';
  const row = await readRow<{ got: number; holder: number | null }>(connection, sql, [lock, waitS, lock]);
  return Number(row?.got) === 1 ? null : Number(row?.holder ?? 0);
}

async function endSilent(connection: ServerConnection, holder: number): Promise<void> {
  const sql = `SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ? AND COMMAND = 'Sleep' AND TIME >= ?`;
  if ((await readRow(connection, sql, [holder, SILENT_S])) === undefined) return;
  await connection.send(`KILL ${holder}`).catch((error: unknown) => {
    // ER_NO_SUCH_THREAD; ER_KILL_DENIED_ERROR: then it is waited for.
    if (![1094, 1095].includes(numberOf(error))) throw error;
  });
}
