import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection, escapeId, type RowDataPacket } from 'mysql2/promise';
import { askRig } from './ask.js';
import { withDatabase } from './postgres.js';

export { canaryPassword } from './private-server.js';

export interface MysqlServer {
  /** Of an administrator, without a database. */
  readonly url: string;
  /** The server's log file; null for a server that isn't the rig's own. */
  readonly log: string | null;
}

let server: Promise<MysqlServer> | undefined;

/** The MariaDB that all tests of this run share, or the MySQL or MariaDB that TENANCY_TEST_MYSQL_URL names. */
export function mysqlServer(): Promise<MysqlServer> {
  const given = process.env.TENANCY_TEST_MYSQL_URL;
  if (given !== undefined && given !== '') return Promise.resolve({ url: given, log: null });
  server ??= askRig<MysqlServer>('mariadb');
  return server;
}

export interface TestMysql {
  /** Of an administrator, with a database of this name as the default one. */
  readonly url: string;
  /** `t_<hex>`. Call databases and users after it, `${name}_…`, and they go with it. */
  readonly name: string;
  query<Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Fails when somebody is still connected to this database, to one that belongs to it, or as a user of it. */
  assertNoConnections(): Promise<void>;
  /** Drops it with all databases and users whose names begin with its name and `_`; fails on a leaked connection. */
  drop(): Promise<void>;
}

/** A new, empty database. */
export async function createTestMysql(): Promise<TestMysql> {
  const name = `t_${randomBytes(5).toString('hex')}`;
  const { url: admin } = await mysqlServer();
  const url = withDatabase(admin, name);
  await queryMysql(admin, `CREATE DATABASE ${escapeId(name)}`);
  const assertNone = (): Promise<void> => assertNoConnections(admin, name);
  return {
    url,
    name,
    query: (sql, params) => queryMysql(url, sql, params),
    assertNoConnections: assertNone,
    drop: async () => {
      const leak = await assertNone().catch((error: unknown) => error);
      await dropMysqlNames(admin, name);
      if (leak !== undefined) throw leak;
    },
  };
}

const DROP_ATTEMPTS = 10;

const DEADLOCK_ATTEMPTS = 5;

/** Opens a connection for one statement; sends it again where the server chose it for the victim of a deadlock, and so undid it, as with what a killed client left running. */
export async function queryMysql<Row = Record<string, unknown>>(url: string, sql: string, params: readonly unknown[] = []): Promise<Row[]> {
  const connection = await createConnection({ uri: url, timezone: 'Z' });
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        const [rows] = await connection.query<RowDataPacket[]>(sql, [...params]);
        return (Array.isArray(rows) ? rows : []) as Row[];
      } catch (error) {
        const isDeadlock = (error as { errno?: number }).errno === 1213;
        if (!isDeadlock || attempt === DEADLOCK_ATTEMPTS) throw error;
      }
    }
  } finally {
    await connection.end();
  }
}

/** A thread takes a moment to notice that its client has gone, so it waits up to two seconds for that. */
async function assertNoConnections(admin: string, name: string): Promise<void> {
  const listed = `SELECT id, user, db, command, time, left(info, 80) AS query FROM information_schema.processlist
    WHERE id <> connection_id() AND (db = ? OR db LIKE ? OR user LIKE ?)`;
  const below = likeBelow(name);
  for (let attempt = 0; ; attempt++) {
    const open = await queryMysql(admin, listed, [name, below, below]);
    if (open.length === 0) return;
    if (attempt === 20) throw new Error(`${open.length} connections leaked:\n${open.map((row) => JSON.stringify(row)).join('\n')}`);
    await delay(100);
  }
}

/** Drops the databases and users that carry a name or begin with it and `_`, and ends who is connected to them. */
export async function dropMysqlNames(admin: string, name: string): Promise<void> {
  const below = likeBelow(name);
  const threads = 'SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND (db = ? OR db LIKE ? OR user LIKE ?)';
  for (const { id } of await queryMysql<{ id: number }>(admin, threads, [name, below, below])) {
    // It may have ended by itself by now.
    await queryMysql(admin, 'KILL ?', [id]).catch(() => undefined);
  }
  const owned = 'SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name = ? OR schema_name LIKE ?';
  for (const database of await queryMysql<{ name: string }>(admin, owned, [name, below])) {
    await dropUntilGone(admin, `DROP DATABASE IF EXISTS ${escapeId(database.name, true)}`);
  }
  const users = 'SELECT user AS name, host AS host FROM mysql.user WHERE user LIKE ?';
  for (const user of await queryMysql<{ name: string; host: string }>(admin, users, [below])) {
    await queryMysql(admin, 'DROP USER ?@?', [user.name, user.host]);
  }
}

/** A statement of a client that was killed may just make another table in it. */
async function dropUntilGone(admin: string, drop: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await queryMysql(admin, drop);
      return;
    } catch (error) {
      // ER_DB_DROP_RMDIR: what a killed CREATE TABLE has left of a file stays until the server goes, which is the rig's own.
      const isLeft = (error as { errno?: number }).errno === 1010;
      if (attempt === DROP_ATTEMPTS && isLeft) return console.warn(`MariaDB can't drop a database of a test's: ${String(error)}`);
      if (attempt === DROP_ATTEMPTS) throw error;
      await delay(500);
    }
  }
}

/** `_` stands for any character there, unless it is escaped. */
function likeBelow(name: string): string {
  return `${name.replaceAll('_', '\\_')}\\_%`;
}
