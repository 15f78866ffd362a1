import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner } from '../marker.js';
import { numberOf } from './classify.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, readRows, withConnection } from './engine-context.js';
import { withHomeLock } from './home-lock.js';
import { type HomeState, OWN_TABLES, presenceOf, readHome } from './home-state.js';
import { ensureLedger, forgetHome, ownRow, writeLedger } from './ledger.js';
import { quoteName } from './quote.js';
import { type DatabaseRights, dropRights, readRights, revokeRights } from './rights.js';
import { endSessions } from './sessions.js';

/** In one statement; each is a file to be removed while the dictionary is locked for everybody. */
const BATCH = 100;
/** Sessions that hold a table have been ended by then, and are only rolling back. */
const LOCK_WAIT_S = 5;
const ATTEMPTS = 6;

/**
 * ```
 * ledger: dropping ──→ sessions ended ──→ tables in batches ──→ DROP DATABASE (the marker with it) ──→ rights, logins ──→ ledger: forgotten
 * ```
 * DROP DATABASE alone isn't atomic and holds up the server for as long as it takes, which with thousands of tables is minutes. The marker
 * goes with the last statement, and the ledger tells a home that was interrupted even behind that.
 */
export async function dropDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'> {
  return withHomeLock(context, target, signal, async (connection) => {
    const home = await readHome(connection, target);
    if (!home.exists && ownRow(home.ledger, target) === null) return 'absent';
    const reasons = await findObstacles(context, connection, target, home);
    if (reasons.length > 0) throw new TenancyError('TENANCY_DROP_REFUSED', { name: target.name, kind: 'database', reasons });
    await ensureLedger(context, connection);
    await writeLedger(connection, home.key, target.marker, 'dropping');
    if (home.exists) await dropWhole(context, connection, target.name);
    await dropRights(connection, home.key);
    await forgetHome(connection, home.key);
    return home.exists ? 'dropped' : 'absent';
  });
}

/** Also of a database that somebody dropped by hand, who has left its grants. */
export async function sweepLeftRights(
  context: EngineContext,
  target: TenantTarget,
  signal: AbortSignal,
): Promise<{ readonly removed: readonly string[]; readonly left: readonly string[] }> {
  return withHomeLock(context, target, signal, async (connection) => {
    const home = await readHome(connection, target);
    if (home.exists) return { removed: [], left: [] };
    const rights = await readRights(connection, home.key);
    if (rights.length === 0) return { removed: [], left: [] };
    await revokeRights(connection, rights);
    const left = await readRights(connection, home.key);
    const isLeft = (one: DatabaseRights): boolean => left.some(({ user, host }) => user === one.user && host === one.host);
    const describe = ({ user, host }: DatabaseRights): string => `the rights of ${user}@${host} on ${target.name}`;
    return { removed: rights.filter((one) => !isLeft(one)).map(describe), left: left.map(describe) };
  });
}

export function planDrop(context: EngineContext, target: TenantTarget): Promise<readonly string[]> {
  return withConnection(context, undefined, async (connection) => {
    const home = await readHome(connection, target);
    return home.exists ? findObstacles(context, connection, target, home) : [];
  });
}

/** Why we would not drop it. */
async function findObstacles(
  { address }: EngineContext,
  connection: ServerConnection,
  target: TenantTarget,
  home: HomeState,
): Promise<readonly string[]> {
  const { status } = presenceOf(home, target);
  if (status === 'other' || status === 'unmarked') return [`it ${describeOwner(home.marker, target.marker)}`];
  const reasons: string[] = [];
  if (address.database === target.name) reasons.push("it is the database that the cluster's URL names");
  if (home.exists) reasons.push(...(await findReferences(connection, target.name)));
  return reasons;
}

/** Foreign keys of others, which dropping without checks would leave pointing at nothing. */
async function findReferences(connection: ServerConnection, name: string): Promise<readonly string[]> {
  const rows = await readReferences(connection, name);
  return rows.map(({ foreign_key }) => `the foreign key ${foreign_key} of another database refers to a table of it`);
}

async function readReferences(connection: ServerConnection, name: string): Promise<readonly { foreign_key: string }[]> {
  const dictionary =
    `SELECT CONCAT(CONSTRAINT_SCHEMA, '.', CONSTRAINT_NAME) AS foreign_key FROM information_schema.REFERENTIAL_CONSTRAINTS ` +
    `WHERE UNIQUE_CONSTRAINT_SCHEMA = ? AND CONSTRAINT_SCHEMA <> ? LIMIT 5`;
  // MariaDB would open every table of the server for that. InnoDB knows names as files have them: `-` is @002d.
  if (!connection.isMariadb || !/^[A-Za-z0-9_-]+$/.test(name)) return readRows(connection, dictionary, [name, name]);
  const file = `${name.replaceAll('-', '@002d')}/`;
  const sql =
    `SELECT ID AS foreign_key FROM information_schema.INNODB_SYS_FOREIGN WHERE LEFT(REF_NAME, CHAR_LENGTH(?)) = ? ` +
    `AND LEFT(FOR_NAME, CHAR_LENGTH(?)) <> ? LIMIT 5`;
  try {
    return await readRows(connection, sql, [file, file, file, file]);
  } catch (error) {
    // It asks for PROCESS.
    if (numberOf(error) !== 1227) throw error;
    return readRows(connection, dictionary, [name, name]);
  }
}

async function dropWhole(context: EngineContext, connection: ServerConnection, name: string): Promise<void> {
  await connection.send(
    `SET SESSION foreign_key_checks = 0, lock_wait_timeout = ${LOCK_WAIT_S}, innodb_lock_wait_timeout = ${LOCK_WAIT_S}`,
  );
  for (let attempt = 1; ; attempt++) {
    await endSessions(context, connection, name);
    try {
      await dropObjects(connection, name);
      await connection.send(`DROP DATABASE IF EXISTS ${quoteName(name)}`);
      return;
    } catch (error) {
      // Somebody came in again, and holds a table or has made one: ER_DB_DROP_RMDIR, ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK.
      if (![1010, 1205, 1213].includes(numberOf(error)) || attempt >= ATTEMPTS) throw error;
    }
  }
}

/** Events first, as they could make things anew. Triggers go with their tables, routines with the database. */
async function dropObjects(connection: ServerConnection, name: string): Promise<void> {
  const events = await readRows<{ name: string }>(
    connection,
    'SELECT EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?',
    [name],
  );
  for (const event of events) await connection.send(`DROP EVENT IF EXISTS ${quoteName(name)}.${quoteName(event.name)}`);
  const tables = await readRows<{ name: string; type: string }>(
    connection,
    'SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME NOT IN (?)',
    [name, OWN_TABLES],
  );
  const isView = ({ type }: { type: string }): boolean => type.endsWith('VIEW');
  await dropBatches(connection, 'VIEW', name, tables.filter(isView));
  await dropBatches(
    connection,
    'TABLE',
    name,
    tables.filter((table) => !isView(table)),
  );
}

async function dropBatches(
  connection: ServerConnection,
  kind: string,
  database: string,
  found: readonly { name: string }[],
): Promise<void> {
  for (let at = 0; at < found.length; at += BATCH) {
    const names = found.slice(at, at + BATCH).map(({ name }) => `${quoteName(database)}.${quoteName(name)}`);
    await connection.send(`DROP ${kind} IF EXISTS ${names.join(', ')}`);
  }
}
