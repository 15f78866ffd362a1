import { TenancyError } from '../../errors.js';
import type { BegunHome, MarkedLogins, Marker, TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import { isSameMarker } from '../marker.js';
import type { Retention } from '../retention.js';
import { numberOf } from './classify.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, readRow, readRows } from './engine-context.js';
import { readServerId } from './identity.js';
import { quoteText } from './quote.js';

/**
 * Our own database on the server: MySQL's databases bear no comment and can't be renamed, so what is under way with a home is written
 * here first. A name that no tenant may have.
 *
 * `homes`: `creating` from before CREATE DATABASE until the marker is in, `made`, `retained` while it is closed and kept, and `dropping` from
 * before the first table goes until the last right is gone; `cut`: what `cutAccess` took away; `retained` and `undeleted`: see `Retention`.
 * `accounts`: logins that were made for one home, and go with it. `server`: the identity of the server, see `readIdentity`.
 */
const LEDGER = '_tenancy';

const CREATE_LEDGER = [
  `CREATE DATABASE IF NOT EXISTS ${LEDGER}`,
  `CREATE TABLE IF NOT EXISTS ${LEDGER}.homes (name varchar(64) NOT NULL PRIMARY KEY, tenant varchar(255) NOT NULL, registry varchar(255) NOT NULL, ` +
    `operation varchar(255) NOT NULL, state varchar(16) NOT NULL, cut mediumtext, retained varchar(255), undeleted varchar(255), since timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)) ` +
    `ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin`,
  `CREATE TABLE IF NOT EXISTS ${LEDGER}.accounts (home varchar(64) NOT NULL, user varchar(128) NOT NULL, host varchar(255) NOT NULL DEFAULT '%', ` +
    `PRIMARY KEY (home, user, host)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin`,
  `CREATE TABLE IF NOT EXISTS ${LEDGER}.server (one tinyint NOT NULL PRIMARY KEY, id varchar(100) NOT NULL) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4`,
];

/** Of a ledger that was made before a home said which operation has closed it. */
const ADD_RETENTION = `ALTER TABLE ${LEDGER}.homes ADD COLUMN retained varchar(255), ADD COLUMN undeleted varchar(255)`;
const BEARS_RETENTION =
  `SELECT COUNT(*) FROM information_schema.COLUMNS ` +
  `WHERE TABLE_SCHEMA = '${LEDGER}' AND TABLE_NAME = 'homes' AND COLUMN_NAME IN ('retained', 'undeleted')`;

export interface LedgerRow extends Marker, Retention {
  readonly state: 'creating' | 'made' | 'retained' | 'dropping';
  readonly cut: string | null;
}

/** ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE */
const ABSENT = new Set([1049, 1146]);
/** ER_DUP_FIELDNAME: another process was faster. */
const ADDED = 1060;
/** ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR */
const FORBIDDEN: ReadonlySet<number> = new Set([1044, 1142, 1227]);

/** @throws TenancyError `TENANCY_CREATE_FORBIDDEN` */
export async function ensureLedger(context: EngineContext, connection: ServerConnection): Promise<void> {
  if (context.ledger.isEnsured) return;
  await namingMissingRight(connection, LEDGER, async () => {
    const look = `SELECT (${BEARS_RETENTION}) AS bears FROM ${LEDGER}.server WHERE one = 1`;
    const found = await readRow<{ bears: number }>(connection, look).catch(() => undefined);
    if (Number(found?.bears) === 2) return;
    if (found !== undefined) {
      await connection.send(ADD_RETENTION).catch((error: unknown) => {
        if (numberOf(error) !== ADDED) throw error;
      });
      return;
    }
    const id = await readServerId(connection);
    await connection.send([...CREATE_LEDGER, `INSERT IGNORE INTO ${LEDGER}.server VALUES (1, ${quoteText(id)})`].join('; '));
  });
  context.ledger.isEnsured = true;
}

/**
 * Runs what creates a database, or looks whether it can be created; where the server forbids it, the error says which right takes that.
 * @throws TenancyError `TENANCY_CREATE_FORBIDDEN`
 */
export async function namingMissingRight<T>(connection: ServerConnection, name: string, create: () => Promise<T>): Promise<T> {
  try {
    return await create();
  } catch (error) {
    if (!FORBIDDEN.has(numberOf(error))) throw error;
    throw await createForbidden(connection, name, error);
  }
}

async function createForbidden(connection: ServerConnection, name: string, cause: unknown): Promise<TenancyError> {
  const row = await readRow<{ login: string }>(connection, 'SELECT CURRENT_USER() AS login');
  const login = row?.login ?? '';
  const grantee = login.replace(/^(.*)@(.*)$/, (_, user: string, host: string) => `${quoteText(user)}@${quoteText(host)}`);
  return new TenancyError(
    'TENANCY_CREATE_FORBIDDEN',
    {
      name,
      kind: 'database',
      login,
      database: name,
      lacks: 'CREATE on all databases',
      grant: `GRANT ALL PRIVILEGES ON *.* TO ${grantee} WITH GRANT OPTION`,
    },
    { cause },
  );
}

/** By the name as the server compares it. Null too where the ledger isn't there, or isn't shown to us. */
export async function readLedger(connection: ServerConnection, key: string): Promise<LedgerRow | null> {
  try {
    // Whatever columns it has: it may be of before `ADD_RETENTION`, and a look changes nothing.
    const sql = `SELECT * FROM ${LEDGER}.homes WHERE name = ?`;
    return (await readRow<LedgerRow>(connection, sql, [key])) ?? null;
  } catch (error) {
    const number = numberOf(error);
    if (ABSENT.has(number) || FORBIDDEN.has(number)) return null;
    throw error;
  }
}

/** Rows of homes that were begun, or half dropped, or that are gone without a word. One that is retained is whole: nothing was left half done with it. */
export async function listBegun(connection: ServerConnection, registry: string): Promise<readonly BegunHome[]> {
  try {
    const rows = await readRows<{ name: string; tenant: string; operation: string }>(
      connection,
      `SELECT h.name, h.tenant, h.operation FROM ${LEDGER}.homes h WHERE h.registry = ? AND (h.state IN ('creating', 'dropping') ` +
        `OR NOT EXISTS (SELECT 1 FROM information_schema.SCHEMATA s WHERE BINARY s.SCHEMA_NAME = BINARY h.name)) ORDER BY 1`,
      [registry],
    );
    return rows.map(({ name, tenant, operation }) => ({ shown: name, name, tenant, operation, isHome: true }));
  } catch (error) {
    const number = numberOf(error);
    if (ABSENT.has(number) || FORBIDDEN.has(number)) return [];
    throw error;
  }
}

/** Our row, if it is there and this operation's. */
export function ownRow(row: LedgerRow | null, { marker }: TenantTarget): LedgerRow | null {
  return row !== null && isSameMarker(row, marker) ? row : null;
}

const IS_SAME_LIFE = 'tenant = VALUES(tenant) AND registry = VALUES(registry) AND operation = VALUES(operation)';

export async function writeLedger(
  connection: ServerConnection,
  key: string,
  { tenant, registry, operation }: Marker,
  state: LedgerRow['state'],
): Promise<void> {
  await connection.send(
    `INSERT INTO ${LEDGER}.homes (name, tenant, registry, operation, state) VALUES (?, ?, ?, ?, ?) ` +
      `ON DUPLICATE KEY UPDATE ${['cut', 'retained', 'undeleted'].map((kept) => `${kept} = IF(${IS_SAME_LIFE}, ${kept}, NULL)`).join(', ')}, ` +
      `tenant = VALUES(tenant), registry = VALUES(registry), operation = VALUES(operation), state = VALUES(state)`,
    [key, tenant, registry, operation, state],
  );
}

export async function writeCut(connection: ServerConnection, key: string, cut: string | null): Promise<void> {
  await connection.send(`UPDATE ${LEDGER}.homes SET cut = ? WHERE name = ?`, [cut, key]);
}

/** Of a home whose row is there. */
export async function writeRetention(
  connection: ServerConnection,
  key: string,
  state: 'made' | 'retained',
  { retained, undeleted }: Retention,
): Promise<void> {
  const sql = `UPDATE ${LEDGER}.homes SET state = ?, retained = ?, undeleted = ? WHERE name = ?`;
  await connection.send(sql, [state, retained ?? null, undeleted ?? null, key]);
}

/** The home is gone, and its logins with it. */
export async function forgetHome(connection: ServerConnection, key: string): Promise<void> {
  await connection.send(`DELETE FROM ${LEDGER}.accounts WHERE home = ?; DELETE FROM ${LEDGER}.homes WHERE name = ?`, [key, key]);
}

/** Those of one home; none where the ledger isn't there. */
export async function readAccounts(connection: ServerConnection, key: string): Promise<readonly { user: string; host: string }[]> {
  try {
    return await readRows(connection, `SELECT user, host FROM ${LEDGER}.accounts WHERE home = ?`, [key]);
  } catch (error) {
    if (!ABSENT.has(numberOf(error))) throw error;
    return [];
  }
}

/** Accounts of homes that stand, in use by that alone. Those of a home that is gone go with its row, see `listBegun`. */
export async function listMarkedAccounts(connection: ServerConnection, registry: string): Promise<readonly MarkedLogins[]> {
  const sql =
    `SELECT h.name AS home, h.tenant, h.registry, h.operation, a.user FROM ${LEDGER}.accounts a JOIN ${LEDGER}.homes h ON h.name = a.home ` +
    `JOIN mysql.user u ON BINARY u.User = BINARY a.user AND BINARY u.Host = BINARY a.host ` +
    `JOIN information_schema.SCHEMATA s ON BINARY s.SCHEMA_NAME = BINARY h.name WHERE h.registry = ? ORDER BY 1, 5`;
  try {
    const found = new Map<string, MarkedLogins>();
    for (const { home, user, ...marker } of await readRows<Marker & { home: string; user: string }>(connection, sql, [registry])) {
      // One of an earlier life on that name is a stranger there, and told as one.
      if (!loginNames(marker).logins.includes(user)) continue;
      const names = found.get(home)?.names ?? [];
      found.set(home, { names: [...names, user], home, marker, isUnused: false });
    }
    return [...found.values()];
  } catch (error) {
    const number = numberOf(error);
    if (ABSENT.has(number) || FORBIDDEN.has(number)) return [];
    throw error;
  }
}

/** Before the login is made: whoever finds one of this name in the ledger knows it for ours. */
export async function recordAccount(
  connection: ServerConnection,
  key: string,
  { user, host }: { readonly user: string; readonly host: string },
): Promise<void> {
  await connection.send(`INSERT IGNORE INTO ${LEDGER}.accounts (home, user, host) VALUES (?, ?, ?)`, [key, user, host]);
}

export async function forgetAccount(
  connection: ServerConnection,
  key: string,
  { user, host }: { readonly user: string; readonly host: string },
): Promise<void> {
  await connection.send(`DELETE FROM ${LEDGER}.accounts WHERE home = ? AND user = ? AND host = ?`, [key, user, host]);
}
