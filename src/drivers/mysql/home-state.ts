import type { Marker, Presence, TenantTarget } from '../driver.js';
import { isSameMarker } from '../marker.js';
import { numberOf } from './classify.js';
import type { ServerConnection } from './connection.js';
import { readRow, readRows } from './engine-context.js';
import { type LedgerRow, ownRow, readLedger } from './ledger.js';
import { parseMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';

/** A tenant's database as it is now, and what our ledger says of it. */
export interface HomeState {
  /** The name as the ledger has it: folded where the server compares names without case. */
  readonly key: string;
  readonly exists: boolean;
  readonly marker: Marker | null;
  readonly isEmpty: boolean;
  /** What is said on the database itself, which MariaDB can from 10.5 on. */
  readonly comment: string;
  readonly ledger: LedgerRow | null;
}

/** The tables of ours in each home; see migrate/history-sql.ts. */
export const OWN_TABLES: readonly string[] = ['_tenancy_migrations', '_tenancy_state'];

const OWN_LIST = OWN_TABLES.map(quoteText).join(', ');

export const MARKER_TYPE = 'marker';

export async function readHome(connection: ServerConnection, target: Pick<TenantTarget, 'name'>): Promise<HomeState> {
  const isFolded = await foldsNames(connection);
  const key = isFolded ? target.name.toLowerCase() : target.name;
  const found = await readSchema(connection, target.name, isFolded);
  const ledger = await readLedger(connection, key);
  if (found === null) return { key, exists: false, marker: null, isEmpty: true, comment: '', ledger };
  const marker = await readMarker(connection, target.name);
  return { key, exists: true, marker, isEmpty: await readIsEmpty(connection, target.name), comment: found.comment, ledger };
}

/** @see Presence; `partial` is where the ledger has our operation at work on a home that it hasn't marked yet, or was dropping. */
export function presenceOf({ exists, marker, isEmpty, ledger }: HomeState, target: TenantTarget): Presence {
  const own = ownRow(ledger, target);
  if (!exists) return own?.state === 'dropping' ? { status: 'partial', isEmpty: true } : { status: 'absent' };
  if (marker === null) {
    const isPartial = (own?.state === 'creating' || own?.state === 'dropping') && isEmpty;
    return { status: isPartial ? 'partial' : 'unmarked', isEmpty };
  }
  if (!isSameMarker(marker, target.marker)) return { status: 'other', marker };
  if (own?.state === 'retained') return { status: 'retained', by: own.retained ?? null };
  return { status: own?.state === 'dropping' ? 'partial' : 'ours', isEmpty };
}

/** `lower_case_table_names`: 0 tells names by case, 1 stores them in lower case, 2 as they are written and compares them without. */
async function foldsNames(connection: ServerConnection): Promise<boolean> {
  return Number((await readRow<{ fold: number }>(connection, 'SELECT @@lower_case_table_names AS fold'))?.fold) !== 0;
}

async function readSchema(connection: ServerConnection, name: string, isFolded: boolean): Promise<{ comment: string } | null> {
  const comment = connection.isMariadb ? 'SCHEMA_COMMENT' : "''";
  const rows = await readRows<{ name: string; comment: string }>(
    connection,
    `SELECT SCHEMA_NAME AS name, ${comment} AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`,
    [name],
  );
  // The catalogue's own comparison may be without case where the server's is not.
  const found = rows.find((row) => row.name === name || (isFolded && row.name.toLowerCase() === name.toLowerCase()));
  if (found === undefined) await refuseHidden(connection, name);
  return found ?? null;
}

/**
 * The catalogue leaves out what the login has no rights on, so that a tenant's database would be taken for gone, and the tenant for deprovisioned.
 * Asked for by its name, the server says that there is none to those alone who may know.
 * @throws its ER_DBACCESS_DENIED_ERROR otherwise.
 */
async function refuseHidden(connection: ServerConnection, name: string): Promise<void> {
  try {
    await connection.send(`SHOW CREATE DATABASE ${quoteName(name)}`);
  } catch (error) {
    // ER_BAD_DB_ERROR
    if (numberOf(error) !== 1049) throw error;
  }
}

/** Null where there is none; where there is a database without our tables. */
async function readMarker(connection: ServerConnection, name: string): Promise<Marker | null> {
  try {
    const sql = `SELECT detail FROM ${quoteName(name)}._tenancy_state WHERE type = '${MARKER_TYPE}'`;
    return parseMarker((await readRow<{ detail: string }>(connection, sql))?.detail);
  } catch (error) {
    // ER_NO_SUCH_TABLE; ER_BAD_DB_ERROR; ER_BAD_FIELD_ERROR: a table of that name that isn't ours.
    if ([1146, 1049, 1054].includes(numberOf(error))) return null;
    throw error;
  }
}

async function readIsEmpty(connection: ServerConnection, name: string): Promise<boolean> {
  const sql =
    `SELECT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME NOT IN (${OWN_LIST})) ` +
    `OR EXISTS (SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ?) ` +
    `OR EXISTS (SELECT 1 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?) AS is_full`;
  return Number((await readRow<{ is_full: number }>(connection, sql, [name, name, name]))?.is_full) === 0;
}

const SYSTEM = ['information_schema', 'mysql', 'performance_schema', 'sys', 'ndbinfo', 'mariadb_schema'];

/** In the order of bytes. The server's own, ours and the one that the cluster's URL names are left out. */
export async function listHomes(
  connection: ServerConnection,
  page: { readonly after: string | null; readonly limit: number },
  ownDatabase: string | null,
): Promise<readonly { readonly name: string; readonly marker: Marker | null }[]> {
  const rows = await readRows<{ name: string }>(
    connection,
    `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE CAST(CONVERT(SCHEMA_NAME USING utf8mb4) AS BINARY) > CAST(? AS BINARY) ` +
      `AND SCHEMA_NAME NOT IN (?) AND SCHEMA_NAME NOT REGEXP '^_?tenancy' ORDER BY CAST(CONVERT(SCHEMA_NAME USING utf8mb4) AS BINARY) LIMIT ?`,
    [page.after ?? '', [...SYSTEM, ...(ownDatabase === null ? [] : [ownDatabase])], page.limit],
  );
  const names = rows.map(({ name }) => name);
  const markers = await readMarkers(connection, names);
  return names.map((name) => ({ name, marker: markers.get(name) ?? null }));
}

async function readMarkers(connection: ServerConnection, names: readonly string[]): Promise<ReadonlyMap<string, Marker>> {
  const markers = new Map<string, Marker>();
  if (names.length === 0) return markers;
  const marked = await readRows<{ name: string }>(
    connection,
    `SELECT TABLE_SCHEMA AS name FROM information_schema.TABLES WHERE TABLE_NAME = '_tenancy_state' AND TABLE_SCHEMA IN (?)`,
    [names],
  );
  if (marked.length === 0) return markers;
  const selects = marked.map(
    ({ name }) => `SELECT ${quoteText(name)} AS name, detail FROM ${quoteName(name)}._tenancy_state WHERE type = '${MARKER_TYPE}'`,
  );
  try {
    for (const row of await readRows<{ name: string; detail: string }>(connection, selects.join(' UNION ALL '))) {
      const marker = parseMarker(row.detail);
      if (marker !== null) markers.set(row.name, marker);
    }
  } catch {
    // One that went meanwhile, or whose table isn't ours, took the others' answers along.
    for (const { name } of marked) {
      const marker = await readMarker(connection, name);
      if (marker !== null) markers.set(name, marker);
    }
  }
  return markers;
}
