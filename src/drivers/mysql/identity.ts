import type { ServerConnection } from './connection.js';
import { readRow } from './engine-context.js';

const LEDGER_ID = 'SELECT id FROM _tenancy.server WHERE one = 1';

/**
 * As our own database on the server remembers it, and until that is made what it is going to remember. So it goes with the data: it
 * is the same on a replica that has taken over, and after the machine of a MariaDB (whose `server_uid` is made of its network card) changed.
 * A copy of the whole server has it too.
 */
export async function readIdentity(connection: ServerConnection): Promise<string> {
  const known = await readRow<{ id: string }>(connection, LEDGER_ID).catch(() => undefined);
  return known?.id ?? (await readServerId(connection));
}

/** MySQL's `server_uuid`; MariaDB's `server_uid` (10.5.26, 10.6.19, 10.11.9, 11.4.3), and before there was one where it listens and keeps its data. */
export async function readServerId(connection: ServerConnection): Promise<string> {
  const name = connection.isMariadb ? 'server_uid' : 'server_uuid';
  const row = await readRow<{ Value: string }>(connection, `SHOW GLOBAL VARIABLES LIKE '${name}'`);
  if (row !== undefined && row.Value !== '') return row.Value;
  const place = await readRow<{ id: string }>(connection, "SELECT SHA1(CONCAT_WS('/', @@hostname, @@port, @@datadir)) AS id");
  return place?.id ?? '';
}
