import { numberOf } from './classify.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, readRows } from './engine-context.js';
import type { Account } from './rights.js';

/** ER_NO_SUCH_THREAD: it has ended by itself. */
const GONE = 1094;
const POLL_MS = 20;
const POLLS = 100;

/**
 * Ends the sessions that are in a database, all or those of some accounts, and waits a moment until they are gone. Not our own: those that
 * are idle only happen to have been there last.
 */
export async function endSessions(
  context: EngineContext,
  connection: ServerConnection,
  database: string,
  accounts: readonly Account[] | null = null,
): Promise<number> {
  const killed = new Set<number>();
  for (let poll = 0; poll < POLLS; poll++) {
    const found = await readSessions(context, connection, database, accounts);
    if (found.length === 0) break;
    for (const id of found) {
      killed.add(id);
      await connection.send(`KILL ${id}`).catch((error: unknown) => {
        if (numberOf(error) !== GONE) throw error;
      });
    }
    await connection.send(`DO SLEEP(${POLL_MS / 1000})`);
  }
  return killed.size;
}

async function readSessions(
  { budget }: EngineContext,
  connection: ServerConnection,
  database: string,
  accounts: readonly Account[] | null,
): Promise<number[]> {
  const rows = await readRows<{ id: number; user: string; db: string; fold: number }>(
    connection,
    `SELECT ID AS id, USER AS user, DB AS db, @@lower_case_table_names AS fold FROM information_schema.PROCESSLIST WHERE DB = ? AND COMMAND <> 'Killed' AND ID NOT IN (?)`,
    [database, [0, ...budget.ids]],
  );
  // The list's own comparison takes `Shop`, and `shöp`, for `shop`, where the server has a database of each name.
  const isIn = ({ db, fold }: { db: string; fold: number }): boolean =>
    db === database || (Number(fold) !== 0 && db.toLowerCase() === database.toLowerCase());
  const isTheirs = ({ user }: { user: string }): boolean => accounts === null || accounts.some((account) => account.user === user);
  return rows.filter((row) => isIn(row) && isTheirs(row)).map(({ id }) => Number(id));
}

/** Ends every session of these logins, whatever database it is in, until twice in a row none is found. */
export async function endSessionsOf(connection: ServerConnection, users: readonly string[]): Promise<void> {
  if (users.length === 0) return;
  const sql = `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER IN (?) AND COMMAND <> 'Killed'`;
  for (let poll = 0, empty = 0; poll < POLLS && empty < 2; poll++) {
    const found = await readRows<{ id: number }>(connection, sql, [[...users]]);
    empty = found.length === 0 ? empty + 1 : 0;
    for (const { id } of found) {
      await connection.send(`KILL ${Number(id)}`).catch((error: unknown) => {
        if (numberOf(error) !== GONE) throw error;
      });
    }
    if (empty < 2) await connection.send(`DO SLEEP(${POLL_MS / 1000})`);
  }
}
