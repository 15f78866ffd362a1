import { afterEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { newTenant, register } from './registry-rig.js';
import { describeSqlCuts, type JudgedProxy, type SqlFaultsPlace, testConnections, testSqlOpening } from './registry-suite-faults.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function makeDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase();
  ends.push(() => database.drop());
  return database;
}

async function open(url: string, create = false, maxConnections = 2): Promise<Registry> {
  const registry = await openRegistry({ url, create, applicationName: 'tenancy-test', maxConnections });
  ends.push(() => registry.close());
  return registry;
}

async function makePlace(): Promise<SqlFaultsPlace> {
  const database = await makeDatabase();
  const readOtherEvents = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ type: string }>('SELECT type FROM tenancy.events WHERE tenant IS NULL ORDER BY sequence');
    return rows.map(({ type }) => type);
  };
  return { url: database.url, open, readOtherEvents, assertNoConnections: () => database.assertNoConnections() };
}

async function makeProxy(url: string): Promise<JudgedProxy> {
  const proxy = await createTcpProxy(url, { onRequest: (request) => judged.judge?.(request) });
  const judged: JudgedProxy = Object.assign(proxy, { judge: null });
  ends.push(() => proxy.close());
  return judged;
}

describe('connections', () => {
  testSqlOpening(makePlace, makeProxy);
  testConnections(makePlace, makeProxy);

  test('that the server ended are made again, in the middle of the work', async () => {
    const database = await makeDatabase();
    const registry = await open(database.url, true);
    await register(registry, 'acme');
    for (let round = 0; round < 5; round++) {
      const work = Promise.all(Array.from({ length: 10 }, () => registry.acquireLeases(['acme'], { owner: 'o', host: 'h', ttlMs: 1000 })));
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tenancy-test' AND datname = current_database()`,
      );
      for (const [grant] of await work) expect(grant?.status).toBe('granted');
    }
  });

  test('need nothing of the session that answers: another database time style, another order of schemas', async () => {
    const database = await makeDatabase();
    await database.query(`ALTER DATABASE "${database.name}" SET datestyle = 'SQL, DMY'`);
    await database.query(`ALTER DATABASE "${database.name}" SET timezone = 'Asia/Kolkata'`);
    await database.query(`ALTER DATABASE "${database.name}" SET default_transaction_isolation = 'serializable'`);
    const registries = await Promise.all(Array.from({ length: 4 }, () => open(database.url, true, 1)));
    const answers = await Promise.all(registries.map((registry) => registry.registerTenants([newTenant('acme')])));
    expect(answers.flat().filter(({ isNew }) => isNew)).toHaveLength(1);
    const tenant = await registries[0]?.findTenant('acme');
    expect(Math.abs((tenant?.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });
});

describeSqlCuts(makePlace, makeProxy);

test('the audit trail can only be added to', async () => {
  const database = await makeDatabase();
  await register(await open(database.url, true), 'acme');
  for (const sql of ['DELETE FROM tenancy.events', `UPDATE tenancy.events SET type = 'x'`, 'TRUNCATE tenancy.events']) {
    await expect(database.query(sql)).rejects.toThrow('append-only');
  }
});

test('who is not at a version is read from indexes, not from the whole fleet', async () => {
  const database = await makeDatabase();
  await (await open(database.url, true)).close();
  await database.query(`INSERT INTO tenancy.tenants (id, status, cluster, driver, name, home_operation_id, schema_version, migrations_hash)
    SELECT 't' || n, 'active', 'main', 'postgres-schema', 't' || n, 'op', '0012', 'h12' FROM generate_series(1, 20000) n`);
  await database.query('ANALYZE tenancy.tenants');
  await database.assertNoConnections();
  const before = await countScans(database);
  const registry = await open(database.url);
  const filter = { statuses: ['active', 'suspended'], notAt: { schemaVersion: '0012', migrationsHash: 'h12' } } as const;
  expect(await registry.listTenants(filter, { after: null, limit: 500 })).toEqual([]);
  expect(await registry.countTenants(filter)).toBe(0);
  expect(await registry.suggestTenants('t20001')).toHaveLength(3);
  await registry.close();
  // A backend reports what it counted when it ends.
  await database.assertNoConnections();
  const after = await countScans(database);
  expect(after.byIndex - before.byIndex).toBeGreaterThan(5);
  expect(after.sequential).toBe(before.sequential);
});

async function countScans(database: TestDatabase): Promise<{ sequential: number; byIndex: number }> {
  const [row] = await database.query<{ sequential: number; byIndex: number }>(
    `SELECT seq_scan::int AS sequential, idx_scan::int AS "byIndex" FROM pg_stat_user_tables WHERE schemaname = 'tenancy' AND relname = 'tenants'`,
  );
  return row ?? { sequential: 0, byIndex: 0 };
}
