import { afterEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { createTcpProxy, type ProxiedRequest, type RequestVerdict, type TcpProxy } from '../rig/tcp-proxy.js';
import { change, lease, newTenant, register } from './registry-rig.js';

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

interface Switchable {
  readonly proxy: TcpProxy;
  /** Consulted for each request until it is put back to null. */
  judge: ((request: ProxiedRequest) => RequestVerdict) | null;
}

async function makeProxy(url: string): Promise<Switchable> {
  const state: { judge: Switchable['judge'] } = { judge: null };
  const proxy = await createTcpProxy(url, { onRequest: (request) => state.judge?.(request) });
  ends.push(() => proxy.close());
  return Object.assign(state, { proxy });
}

/** Cuts the connection once at the next request that writes what the pattern tells, before or after it is carried out. */
function cutOnce(line: Switchable, phase: 'before' | 'after', sql: RegExp): { cuts: number } {
  const seen = { cuts: 0 };
  line.judge = (request) => {
    if (seen.cuts > 0 || request.phase !== phase || !sql.test(request.sql)) return 'forward';
    seen.cuts++;
    return 'drop';
  };
  return seen;
}

describe('connections', () => {
  test('opening one that is up to date takes one request', async () => {
    const database = await makeDatabase();
    await open(database.url, true);
    const { proxy } = await makeProxy(database.url);
    await open(proxy.url);
    expect(proxy).toMatchObject({ requestCount: 1, connectionCount: 1 });
  });

  test('there are never more than were asked for, and none after closing', async () => {
    const database = await makeDatabase();
    const { proxy } = await makeProxy(database.url);
    const registry = await open(proxy.url, true);
    await register(registry, 'acme');
    await Promise.all(Array.from({ length: 60 }, () => registry.findTenant('acme')));
    expect(proxy.peakConnectionCount).toBe(2);
    await registry.close();
    await database.assertNoConnections();
  });

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

  test('that went silent do not hold up closing', async () => {
    const database = await makeDatabase();
    const { proxy } = await makeProxy(database.url);
    const registry = await open(proxy.url, true);
    proxy.setBlackHole(true);
    const lost = registry.findTenant('acme');
    lost.catch(() => undefined);
    const start = performance.now();
    await registry.close();
    await expect(lost).rejects.toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE' });
    expect(performance.now() - start).toBeLessThan(4_000);
    await expect(registry.findTenant('acme')).rejects.toThrow('closed');
    proxy.reset();
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

describe.each(['before', 'after'] as const)('a connection cut %s the statement was carried out', (phase) => {
  test('changes nothing about the answer, nor about what is kept', async () => {
    const database = await makeDatabase();
    await open(database.url, true);
    const line = await makeProxy(database.url);
    const registry = await open(line.proxy.url);
    const cut = async <T>(sql: RegExp, call: () => Promise<T>): Promise<T> => {
      const seen = cutOnce(line, phase, sql);
      const answer = await call();
      expect(seen.cuts, String(sql)).toBe(1);
      line.judge = null;
      return answer;
    };
    const write = /INSERT|UPDATE|DELETE/;

    expect(await cut(/INSERT INTO tenancy.tenants/, () => registry.registerTenants([newTenant('acme')]))).toMatchObject([{ isNew: true }]);
    const fence = await cut(write, () => lease(registry, 'acme', 'me'));
    expect(await cut(write, () => registry.renewLeases('me', 15_000))).toEqual(['acme']);
    const activated = await cut(write, () => registry.updateTenants([change('acme', fence, { to: 'active', event: 'tenant.activated' })]));
    expect(activated).toMatchObject([{ id: 'acme', status: 'active' }]);
    const protectedNow = await cut(write, () =>
      registry.updateTenants([change('acme', null, { from: ['active'], set: { isProtected: true }, event: 'tenant.protected' })]),
    );
    expect(protectedNow).toMatchObject([{ isProtected: true }]);

    const step = { operationId: 'op', tenant: 'acme', step: 'create', state: 'started', error: null, operation: 'provision' } as const;
    await cut(write, () => registry.recordSteps([step]));
    expect(await registry.readSteps('op')).toMatchObject([{ attempt: 1 }]);
    await cut(write, () =>
      registry.createRun({ id: 'run', command: 'migrate', owner: 'me', host: 'h', target: null, options: {}, selected: 1 }),
    );
    const outcome = { tenant: 'acme', cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '1', ms: 1 } as const;
    const version = { schemaVersion: '1', migrationsHash: 'h' };
    await cut(write, () => registry.recordOutcomes('run', [{ outcome, owner: 'me', fence, version, lastError: null }]));
    expect(await registry.findTenant('acme')).toMatchObject({ schemaVersion: '1', lease: null });

    await lease(registry, 'acme', 'me');
    expect(await cut(write, () => registry.breakLease('acme'))).toMatchObject({ owner: 'me' });
    expect(await cut(/tenancy.clusters/, () => registry.checkCluster('main', 'x', { accept: true }))).toMatchObject({
      status: phase === 'before' ? 'new' : 'same',
    });
    await register(registry, 'other');
    const otherFence = await lease(registry, 'other', 'me');
    expect(await cut(write, () => registry.forgetTenant('other', otherFence))).toBe(true);

    const events = await registry.listEvents('acme', { after: 0, limit: 50 });
    expect(events.map(({ type }) => type)).toEqual([
      'tenant.registered',
      'tenant.activated',
      'tenant.protected',
      'tenant.settled',
      'lease.broken',
    ]);
  });
});

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
