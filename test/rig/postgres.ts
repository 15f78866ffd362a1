import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, escapeIdentifier, type QueryResultRow } from 'pg';
import { askRig } from './ask.js';
import type { PostgresVersion } from './private-server.js';

export { canaryPassword, type PostgresVersion } from './private-server.js';

export interface PostgresServer {
  /** Of the superuser, on the database `postgres`. */
  readonly url: string;
  /** The server's log file; null for a server that isn't the rig's own. */
  readonly log: string | null;
}

const servers = new Map<PostgresVersion, Promise<PostgresServer>>();

/** The server of that version that all tests of this run share; it is started by whoever asks first. */
export function postgresServer(version: PostgresVersion = '18'): Promise<PostgresServer> {
  const given = process.env.TENANCY_TEST_POSTGRES_URL;
  if (given !== undefined && given !== '') return Promise.resolve({ url: given, log: null });
  const server = servers.get(version) ?? askRig<PostgresServer>(version);
  servers.set(version, server);
  return server;
}

/** The superuser's URL, on the database `postgres`. */
export async function postgresUrl(version: PostgresVersion = '18'): Promise<string> {
  return (await postgresServer(version)).url;
}

export interface TestDatabase {
  /** Of the superuser, on this database. */
  readonly url: string;
  readonly name: string;
  readonly version: PostgresVersion;
  query<Row extends QueryResultRow = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Fails when somebody is still connected to this database or to one that belongs to it. */
  assertNoConnections(): Promise<void>;
  /** Drops it with all databases and roles whose names begin with its name and `_`; fails on a leaked connection. */
  drop(): Promise<void>;
}

/** A new, empty database. Call the tenants' databases and roles after it, `${name}_…`, and they go with it. */
export async function createTestDatabase(version: PostgresVersion = '18'): Promise<TestDatabase> {
  const name = `t_${randomBytes(5).toString('hex')}`;
  const server = await postgresUrl(version);
  const url = withDatabase(server, name);
  await query(server, `CREATE DATABASE ${escapeIdentifier(name)}`);
  const assertNone = (): Promise<void> => assertNoConnections(url);
  return {
    url,
    name,
    version,
    query: (sql, params) => query(url, sql, params),
    assertNoConnections: assertNone,
    drop: async () => {
      const leak = await assertNone().catch((error: unknown) => error);
      await dropAll(server, name);
      if (leak !== undefined) throw leak;
    },
  };
}

/** The same server and user, another database. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}

const kept = new AsyncLocalStorage<Map<string, Promise<Client>>>();

/** Opens a connection for one query, unless it is within `keepingConnections`. */
export async function query<Row extends QueryResultRow = Record<string, unknown>>(
  url: string,
  sql: string,
  params?: unknown[],
): Promise<Row[]> {
  const clients = kept.getStore();
  const connecting = clients?.get(url) ?? connect(url);
  clients?.set(url, connecting);
  const client = await connecting;
  try {
    return (await client.query<Row>(sql, params)).rows;
  } finally {
    if (clients === undefined) await client.end();
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'rig' });
  await client.connect();
  return client;
}

/** Within it all queries to one URL go over one connection: the server forks for each, which takes longer than most queries do. */
export async function keepingConnections<T>(use: () => Promise<T>): Promise<T> {
  const clients = new Map<string, Promise<Client>>();
  try {
    return await kept.run(clients, use);
  } finally {
    const opened = await Promise.allSettled(clients.values());
    await Promise.all(opened.map((result) => result.status === 'fulfilled' && result.value.end()));
  }
}

/**
 * Fails when a client is connected to the URL's database, or to one named after it. A backend takes a moment to notice
 * that its client has gone, so it waits up to two seconds for that.
 */
export async function assertNoConnections(databaseUrl: string): Promise<void> {
  const name = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  const listed = `SELECT datname, application_name, state, left(query, 80) AS query FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND (datname = $1 OR starts_with(datname, $1 || '_'))`;
  for (let attempt = 0; ; attempt++) {
    const open = await query(withDatabase(databaseUrl, 'postgres'), listed, [name]);
    if (open.length === 0) return;
    if (attempt === 20) throw new Error(`${open.length} connections leaked:\n${open.map((row) => JSON.stringify(row)).join('\n')}`);
    await delay(100);
  }
}

async function dropAll(server: string, name: string): Promise<void> {
  const owned = `SELECT datname AS name FROM pg_database WHERE datname = $1 OR starts_with(datname, $1 || '_')`;
  for (const row of await query<{ name: string }>(server, owned, [name])) {
    await query(server, `DROP DATABASE IF EXISTS ${escapeIdentifier(row.name)} WITH (FORCE)`);
  }
  for (const row of await query<{ name: string }>(server, `SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, $1 || '_')`, [
    name,
  ])) {
    await query(server, `DROP ROLE IF EXISTS ${escapeIdentifier(row.name)}`);
  }
}
