import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { afterEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { until } from '../rig/gate.js';
import { createTestMysql, queryMysql, type TestMysql } from '../rig/mysql.js';
import { createMysqlProxy, type MysqlProxy } from '../rig/mysql-proxy.js';
import { withDatabase } from '../rig/postgres.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { change, lease, newTenant, register } from './registry-rig.js';
import { describeSqlCuts, type SqlFaultsPlace, testConnections, testSqlOpening } from './registry-suite-faults.js';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function makeDatabase(): Promise<TestMysql> {
  const database = await createTestMysql();
  ends.push(() => database.drop());
  return database;
}

async function open(url: string, create = false, maxConnections = 2): Promise<Registry> {
  const registry = await openRegistry({ url, create, applicationName: 'tenancy-test', maxConnections });
  ends.push(() => registry.close());
  return registry;
}

async function makeProxy(url: string): Promise<MysqlProxy> {
  const proxy = await createMysqlProxy(url);
  ends.push(() => proxy.close());
  return proxy;
}

async function makePlace(): Promise<SqlFaultsPlace> {
  const database = await makeDatabase();
  const readOtherEvents = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ type: string }>('SELECT type FROM tenancy_events WHERE tenant IS NULL ORDER BY sequence');
    return rows.map(({ type }) => type);
  };
  return { url: database.url, open, readOtherEvents, assertNoConnections: () => database.assertNoConnections() };
}

/** Until so many transactions wait for a row of this database. */
async function untilWaiting(database: TestMysql, count: number): Promise<void> {
  const waiting = `SELECT p.id FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
    WHERE x.trx_state = 'LOCK WAIT' AND p.db = ?`;
  const isSo = async (): Promise<boolean> => {
    // The server looks anew only where nobody has asked for a tenth of a second.
    await delay(150);
    return (await database.query(waiting, [database.name])).length === count;
  };
  await until(isSo, `${count} transactions to wait for a row`);
}

describeOn('mariadb', () => {
  describe('connections', () => {
    testSqlOpening(makePlace, makeProxy);
    testConnections(makePlace, makeProxy);

    test('each call takes one request, whatever the size of its batch', async () => {
      const database = await makeDatabase();
      const proxy = await makeProxy(database.url);
      const registry = await open(proxy.url, true, 1);
      const count = async (call: () => Promise<unknown>): Promise<number> => {
        const before = proxy.requestCount;
        await call();
        return proxy.requestCount - before;
      };
      const tenants = Array.from({ length: 200 }, (_, index) => newTenant(`t${index}`));
      const ids = tenants.map(({ id }) => id);
      expect(await count(() => registry.registerTenants(tenants))).toBe(1);
      const grants = await registry.acquireLeases(ids, { owner: 'o', host: 'h', ttlMs: 15_000 });
      const fences = grants.map((grant) => (grant.status === 'granted' ? grant.fence : Number.NaN));
      expect(new Set(fences).size).toBe(200);
      expect(await count(() => registry.acquireLeases(ids, { owner: 'o', host: 'h', ttlMs: 15_000 }))).toBe(1);
      expect(await count(() => registry.renewLeases('o', 15_000))).toBe(1);
      expect(await count(() => registry.updateTenants(ids.map((id) => change(id, null, { to: 'active' }))))).toBe(1);
      const run = { id: 'run', command: 'migrate', owner: 'o', host: 'h', target: null, options: {}, selected: 1 } as const;
      expect(await count(() => registry.createRun(run))).toBe(1);
      const now = await registry.acquireLeases(ids, { owner: 'o', host: 'h', ttlMs: 15_000 });
      const outcomes = now.map((grant) => ({
        outcome: { tenant: grant.id, cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '1', ms: 1 } as const,
        owner: 'o',
        fence: grant.status === 'granted' ? grant.fence : 0,
        version: { schemaVersion: '1', migrationsHash: 'h' },
        lastError: null,
      }));
      expect(await count(() => registry.recordOutcomes('run', outcomes))).toBe(1);
      expect(await registry.countTenants({ notAt: { schemaVersion: '1', migrationsHash: 'h' } })).toBe(0);
      expect(await count(() => registry.checkCluster('main', 'x', { accept: false }))).toBe(2);
      expect(await count(() => registry.checkCluster('main', 'x', { accept: false }))).toBe(1);
      expect(await count(() => registry.breakLease('t1'))).toBe(1);
    });

    test.each(['tenancy_registry_migrations', 'tenancy_clusters'])(
      'a registry that is seen half made, up to %s, is opened when it is done',
      async (table) => {
        const database = await makeDatabase();
        const [mine, others] = [await makeProxy(database.url), await makeProxy(database.url)];
        let [isHalfMade, isSeen] = [false, false];
        others.judge = async ({ phase, sql }) => {
          if (phase === 'after' && sql.includes(`CREATE TABLE IF NOT EXISTS ${table} `)) {
            isHalfMade = true;
            await until(() => isSeen, 'the half of it to be seen');
          }
          return undefined;
        };
        let other: Promise<Registry> | undefined;
        mine.judge = async ({ phase, sql }) => {
          if (sql.includes('information_schema.tables')) {
            if (phase === 'before') other ??= open(others.url, true);
            await until(() => isHalfMade, 'the half of it');
            isSeen = phase === 'after';
          }
          return undefined;
        };
        const registry = await open(mine.url, true);
        expect(registry.id).toBe((await other)?.id);
      },
    );

    test('that the server ended are made again, in the middle of the work', async () => {
      const database = await makeDatabase();
      const registry = await open(database.url, true);
      await register(registry, 'acme');
      for (let round = 0; round < 5; round++) {
        const work = Promise.all(
          Array.from({ length: 10 }, () => registry.acquireLeases(['acme'], { owner: 'o', host: 'h', ttlMs: 1000 })),
        );
        const threads = await database.query<{ id: number }>(
          'SELECT id FROM information_schema.processlist WHERE db = ? AND id <> connection_id()',
          [database.name],
        );
        // One may have ended by itself by now.
        for (const { id } of threads) await database.query('KILL ?', [id]).catch(() => undefined);
        for (const [grant] of await work) expect(grant?.status).toBe('granted');
      }
    });

    test('need nothing of the server that answers: another time zone, mode, charset and isolation, and no triggers', async () => {
      const server = await startPrivateMariadb({
        default_time_zone: '+05:30',
        sql_mode: 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT',
        character_set_server: 'latin1',
        transaction_isolation: 'SERIALIZABLE',
        autocommit: '0',
        log_bin: 'binlog',
        server_id: '1',
      });
      ends.push(() => server.stop());
      // With binary logging, a trigger takes SUPER.
      for (const sql of ['SET GLOBAL sql_safe_updates = 1', 'CREATE DATABASE app', `CREATE USER app IDENTIFIED BY 's3cr3t'`]) {
        await queryMysql(server.url, sql);
      }
      await queryMysql(server.url, 'GRANT ALL ON app.* TO app');
      const url = withDatabase(server.url.replace(/root:[^@]*@/, 'app:s3cr3t@'), 'app');
      const registries = await Promise.all(Array.from({ length: 4 }, () => open(url, true, 1)));
      const labels = { 'quo"te\\': `O'Reilly \\ "日本" 😀` };
      const answers = await Promise.all(registries.map((registry) => registry.registerTenants([newTenant('acme', { labels })])));
      expect(answers.flat().filter(({ isNew }) => isNew)).toHaveLength(1);
      const [first] = registries;
      if (first === undefined) throw new Error('none was opened');
      expect(await lease(first, 'acme', 'me')).toBeGreaterThan(0);
      const tenant = await first.findTenant('acme');
      expect(tenant?.labels).toEqual(labels);
      expect(await first.countTenants({ labels })).toBe(1);
      expect(await first.countTenants({ labels: { 'quo"te\\': 'other' } })).toBe(0);
      expect(Math.abs((tenant?.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
      expect(
        await queryMysql(server.url, 'SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = ?', ['app']),
      ).toEqual([]);
    });
  });

  describeSqlCuts(makePlace, makeProxy);

  test('a deadlock is tried again, and nobody hears of it', async () => {
    const database = await makeDatabase();
    await register(await open(database.url, true), 't1');
    const proxy = await makeProxy(database.url);
    const registry = await open(proxy.url);
    await register(registry, 't9');
    const rival = await createConnection({ uri: database.url });
    ends.push(() => rival.end());
    await rival.query('START TRANSACTION');
    await rival.query(`UPDATE tenancy_tenants SET fence = 77 WHERE id = 't9'`);
    const before = proxy.requestCount;
    const leases = registry.acquireLeases(['t1', 't9'], { owner: 'o', host: 'h', ttlMs: 15_000 });
    await untilWaiting(database, 1);
    // It holds t1 by now, and has changed nothing yet: the server ends it, not the rival.
    await rival.query(`UPDATE tenancy_tenants SET fence = 78 WHERE id = 't1'`);
    await rival.query('COMMIT');
    expect((await leases).map(({ status }) => status)).toEqual(['granted', 'granted']);
    // The first try, its ROLLBACK, and the second.
    expect(proxy.requestCount - before).toBe(3);
  });

  test('statements that a cut connection has left waiting do not count twice', async () => {
    const database = await makeDatabase();
    const proxy = await makeProxy(database.url);
    const registry = await open(proxy.url, true);
    await register(registry, 'acme');
    const rival = await createConnection({ uri: database.url });
    ends.push(() => rival.end());
    await rival.query('START TRANSACTION');
    await rival.query(`UPDATE tenancy_tenants SET fence = 1 WHERE id = 'acme'`);
    const changed = registry.updateTenants([change('acme', null, { to: 'active', event: 'tenant.activated' })]);
    await untilWaiting(database, 1);
    proxy.reset();
    // The server goes on with what it was sent: it notices that nobody listens when it answers.
    await untilWaiting(database, 2);
    await rival.query('COMMIT');
    expect(await changed).toMatchObject([{ id: 'acme', status: 'active' }]);
    await registry.close();
    await database.assertNoConnections().catch(() => undefined);
    const types = await database.query<{ type: string }>(`SELECT type FROM tenancy_events WHERE tenant = 'acme'`);
    expect(types.map(({ type }) => type)).toEqual(['tenant.registered', 'tenant.activated']);
  });

  test('the audit trail can only be added to', async () => {
    const database = await makeDatabase();
    await register(await open(database.url, true), 'acme');
    for (const sql of ['DELETE FROM tenancy_events', `UPDATE tenancy_events SET type = 'x'`]) {
      await expect(database.query(sql)).rejects.toThrow('append-only');
    }
  });

  test('who is not at a version is read from indexes, not from the whole fleet', async () => {
    const server = await startPrivateMariadb();
    ends.push(() => server.stop());
    // A login that may make its own database needs none in its URL.
    const registry = await open(server.url, true, 1);
    const url = withDatabase(server.url, 'tenancy');
    await queryMysql(
      url,
      `INSERT INTO tenancy_tenants (id, status, cluster, driver, name, labels, home_operation_id, schema_version, migrations_hash)
       SELECT CONCAT('t', seq), 'active', 'main', 'mysql-database', CONCAT('t', seq), '{}', 'op', '0012', 'h12' FROM seq_1_to_20000`,
    );
    await queryMysql(url, 'ANALYZE TABLE tenancy_tenants');
    const filter = { statuses: ['active', 'suspended'], notAt: { schemaVersion: '0012', migrationsHash: 'h12' } } as const;
    const countReads = async (): Promise<number> => {
      const rows = await queryMysql<{ Value: string }>(
        url,
        `SHOW GLOBAL STATUS WHERE variable_name LIKE 'Handler_read_%next' OR variable_name LIKE 'Handler_read_key'`,
      );
      return rows.reduce((sum, { Value }) => sum + Number(Value), 0);
    };
    const before = await countReads();
    expect(await registry.listTenants(filter, { after: null, limit: 500 })).toEqual([]);
    expect(await registry.countTenants(filter)).toBe(0);
    expect(await registry.suggestTenants('t20001')).toHaveLength(3);
    expect((await countReads()) - before).toBeLessThan(5_000);
  });
});
