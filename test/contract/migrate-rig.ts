import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import type { ApplyOptions, SessionOptions, TenantSession } from '../../src/drivers/driver.js';
import { formatMarker } from '../../src/drivers/postgres/marker.js';
import { createMigrationSession } from '../../src/drivers/postgres/migrate/index.js';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { LocalMigration, MigrationScript, TenantDb } from '../../src/migrations/migration.js';
import { digestOfSent } from '../../src/migrations/plan-progress.js';
import { inspectSqlScript } from '../../src/migrations/sql/check.js';
import { createTestDatabase, type PostgresVersion, type TestDatabase } from '../rig/postgres.js';

export interface TestSession extends Omit<TenantSession, 'db'> {
  readonly client: pg.Client;
  readonly pid: number;
  close(): Promise<void>;
}

export interface SessionSetting extends Partial<SessionOptions> {
  /** Null: the database is the tenant's own. */
  readonly schema: string | null;
  /** False: the home stays as it is. @default true */
  readonly isMarked?: boolean;
}

/** A session as a driver lends it, on a connection of its own. */
export async function openSession(url: string, { schema, isMarked = true, ...options }: SessionSetting): Promise<TestSession> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ pid: number; version: number }>(
    `SELECT pg_backend_pid() AS pid, current_setting('server_version_num')::int AS version`,
  );
  const db: TenantDb = {
    query: async <Row>(sql: string, params?: readonly unknown[]) => {
      const path = schema === null ? 'DEFAULT' : `"${schema}", extensions`;
      await client.query(`BEGIN; SET LOCAL search_path TO ${path}`);
      try {
        const result = await client.query(sql, params as unknown[]);
        await client.query('COMMIT');
        return { rows: result.rows as Row[], rowCount: result.rowCount };
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      }
    },
  };
  const marker = { tenant: 'acme', registry: 'registry-1', operation: schema ?? 'database' };
  if (isMarked) await markHome(client, schema, formatMarker(marker));
  const session = createMigrationSession({
    client,
    marker,
    historySchema: schema ?? '_tenancy',
    searchPath: schema === null ? null : [schema, 'extensions'],
    extensionsSchema: schema === null ? null : 'extensions',
    lockKey: `test:${schema ?? 'database'}`,
    options: { fence: 1, runId: 'run-1', lockTimeoutMs: 2000, statementTimeoutMs: null, signal: new AbortController().signal, ...options },
    serverVersion: rows[0]?.version ?? 0,
    db,
    ensuredExtensions: new Set(),
  });
  return { ...session, client, pid: rows[0]?.pid ?? 0, close: () => client.end() };
}

export interface TenantDatabase {
  /** Only within tests and hooks: it is made before the first of them. */
  readonly database: TestDatabase;
  newSchema(): Promise<string>;
  withSession<T>(setting: SessionSetting, use: (session: TestSession) => Promise<T>): Promise<T>;
}

/** Within a `describe`: a database of its own that schema tenants share, dropped after the last test. */
export function useTenantDatabase(version: PostgresVersion): TenantDatabase {
  let database: TestDatabase | undefined;
  let tenants = 0;
  const made = (): TestDatabase => {
    if (!database) throw new Error('the database is there within tests only');
    return database;
  };
  beforeAll(async () => {
    database = await createTestDatabase(version);
    await database.query('CREATE SCHEMA extensions');
  });
  afterAll(() => database?.drop());
  return {
    get database() {
      return made();
    },
    newSchema: async () => {
      const schema = `tenant_${++tenants}`;
      await made().query(`CREATE SCHEMA ${schema}`);
      return schema;
    },
    withSession: async (setting, use) => {
      const session = await openSession(made().url, setting);
      try {
        return await use(session);
      } finally {
        await session.close();
      }
    },
  };
}

/** As a driver leaves it. A schema that isn't there stays so. */
async function markHome(client: pg.Client, schema: string | null, comment: string): Promise<void> {
  const { rows } = await client.query<{ comment: string | null; exists: boolean; name: string }>(
    `SELECT current_database() AS name, $1::text IS NULL OR to_regnamespace(quote_ident($1)) IS NOT NULL AS exists, CASE WHEN $1 IS NULL
       THEN shobj_description((SELECT oid FROM pg_database WHERE datname = current_database()), 'pg_database')
       ELSE obj_description(to_regnamespace(quote_ident($1)), 'pg_namespace') END AS comment`,
    [schema],
  );
  const home = rows[0];
  if (!home?.exists || home.comment === comment) return;
  const kind = schema === null ? 'DATABASE' : 'SCHEMA';
  await client.query(`COMMENT ON ${kind} ${pg.escapeIdentifier(schema ?? home.name)} IS ${pg.escapeLiteral(comment)}`);
}

export function sqlMigration(name: string, sql: string, down: string | null = null): LocalMigration {
  const script = (text: string, file: string): MigrationScript => ({
    type: 'sql',
    file,
    sql: text,
    isTransactional: !text.includes('-- tenancy: no-transaction'),
  });
  const file = `migrations/${name}.sql`;
  const checksum = createHash('sha256').update(sql).digest('hex');
  return { name, file, checksum, up: script(sql, file), down: down === null ? null : script(down, `migrations/${name}.down.sql`) };
}

export function moduleMigration(
  name: string,
  run: Extract<MigrationScript, { type: 'module' }>['run'],
  isTransactional = true,
): LocalMigration {
  const file = `migrations/${name}.ts`;
  return {
    name,
    file,
    checksum: createHash('sha256').update(name).digest('hex'),
    up: { type: 'module', file, isTransactional, run },
    down: null,
  };
}

/** What is recorded of a script of which so many statements have been sent. */
export function checksumOfSent({ up }: LocalMigration, count: number): string {
  if (up.type !== 'sql') throw new Error('a module is sent as a whole');
  const { script } = inspectSqlScript(up);
  const texts = script.statements.map(({ start, end }) => up.sql.slice(start, end));
  return digestOfSent(texts, { statementsDone: count, state: 'between' });
}

/** Creates a table with a row, and counts how often it was run: a second time would fail, or show. */
export function counted(name: string): LocalMigration {
  return sqlMigration(
    name,
    `CREATE TABLE IF NOT EXISTS counts (name text, n int);\nCREATE TABLE t_${name} (id int);\nINSERT INTO counts VALUES ('${name}', 1);\n`,
  );
}

export interface Recorded extends ApplyOptions {
  readonly seen: string[];
  readonly logged: string[];
}

export function applyOptions(options: Partial<ApplyOptions> = {}): Recorded {
  const seen: string[] = [];
  const logged: string[] = [];
  return {
    expectedDigest: historyDigest([]),
    tenant: 'acme',
    onMigration: ({ name }) => seen.push(name),
    log: (text) => logged.push(text),
    seen,
    logged,
    ...options,
  };
}
