import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, lockName, readRow, withConnection } from './engine-context.js';

/** A statement of a client that has died holds the lock until it ends: CREATE and DROP of a database are done within that. */
const WAIT_S = 30;

/**
 * Runs what makes, marks or drops a home with the home's lock held. It is the server's as a whole, and goes with the
 * connection: so nobody looks at a home that a statement of a process long dead may still be changing.
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
    const row = await readRow<{ got: number; holder: number }>(connection, 'SELECT GET_LOCK(?, ?) AS got, IS_USED_LOCK(?) AS holder', [
      lock,
      WAIT_S,
      lock,
    ]);
    if (Number(row?.got) !== 1) {
      throw new TenancyError('TENANCY_TENANT_BUSY', {
        tenant: marker.tenant,
        holder: `connection ${row?.holder ?? '?'} of the server`,
        waitedMs: WAIT_S * 1000,
      });
    }
    // Given back with the connection, by its reset.
    return use(connection);
  });
}
