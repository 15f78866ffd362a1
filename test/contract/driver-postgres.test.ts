import { Client } from 'pg';
import { expect } from 'vitest';
import { openClusterEngine } from '../../src/drivers/index.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestDatabase, type PostgresVersion } from '../rig/postgres.js';
import { type DriverUnderTest, describeDriver, type HomeWords } from './driver-suite.js';

const MAX_CONNECTIONS = 3;

const postgresWords: HomeWords = {
  put: async ({ session }, table, value) => {
    await session.db.query(`CREATE TABLE ${table} (value text); INSERT INTO ${table} VALUES ('${value}')`);
  },
  values: async ({ session }, table) =>
    (await session.db.query<{ value: string }>(`SELECT value FROM ${table} WHERE value <> $1 ORDER BY 1`, [''])).rows.map(
      ({ value }) => value,
    ),
  sleep: async ({ session }, seconds) => {
    await session.db.query(`SELECT pg_sleep(${seconds})`);
  },
  countSleeping: async ({ session }, seconds) => {
    const { rows } = await session.db.query(
      `SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(${seconds})%' AND state = 'active' AND pid <> pg_backend_pid()`,
    );
    return rows.length;
  },
  litter: async ({ session }) => {
    await session.db.query(`SET statement_timeout = '1234ms'; CREATE TEMP TABLE leftover (id int); SELECT pg_advisory_lock(7)`);
  },
  findLitter: async ({ session }) => {
    const { rows } = await session.db.query<{ left: string }>(
      `SELECT 'a setting' AS left WHERE current_setting('statement_timeout') <> '0'
       UNION ALL SELECT 'a table' WHERE to_regclass('pg_temp.leftover') IS NOT NULL
       UNION ALL SELECT 'a lock' FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.map(({ left }) => left);
  },
  failHalfWay: async ({ session }, table, value) => {
    await expect(session.db.query(`INSERT INTO ${table} SELECT (1 / $1::int)::text`, [0])).rejects.toMatchObject({ code: '22012' });
    return session.db.query(`INSERT INTO ${table} VALUES ('${value}'); SELECT 1 / 0`);
  },
};

async function open(name: DriverName, version: PostgresVersion): Promise<DriverUnderTest> {
  const database = await createTestDatabase(version);
  const applicationName = `contract-${database.name}`;
  const engine = await openClusterEngine({
    cluster: 'main',
    url: database.url,
    maxConnections: MAX_CONNECTIONS,
    extensionsSchema: 'extensions',
    applicationName,
  });
  // On a connection of its own that stays open, so that counting is quick enough to see a moment too many.
  const watcher = new Client({ connectionString: database.url });
  await watcher.connect();
  return {
    engine,
    driver: engine.driver(name),
    maxConnections: MAX_CONNECTIONS,
    name: (suffix) => `${database.name}_${suffix}`,
    createUnmarked: async (home) => {
      await watcher.query(`CREATE ${name === 'postgres-schema' ? 'SCHEMA' : 'DATABASE'} ${watcher.escapeIdentifier(home)}`);
    },
    countConnections: async () => {
      const { rows } = await watcher.query<{ count: number }>(`SELECT count(*)::int FROM pg_stat_activity WHERE application_name = $1`, [
        applicationName,
      ]);
      return rows[0]?.count ?? -1;
    },
    nameEndings: ['a-b', 'a.b', 'été', '日本', 'ends-'],
    words: postgresWords,
    close: async () => {
      await watcher.end();
      await database.drop();
    },
  };
}

for (const version of ['15', '18'] as const) {
  for (const name of ['postgres-schema', 'postgres-database'] as const) {
    describeDriver(`${name} on PostgreSQL ${version}`, () => open(name, version));
  }
}
