import { Client } from 'pg';
import { openClusterEngine } from '../../src/drivers/index.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestDatabase, type PostgresVersion } from '../rig/postgres.js';
import { type DriverUnderTest, describeDriver } from './driver-suite.js';

const MAX_CONNECTIONS = 3;

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
    sleepSql: (seconds) => `SELECT pg_sleep(${seconds})`,
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
