import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './postgres.js';
import { createTcpProxy, type ProxiedRequest, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.js';

let database: TestDatabase;
const open: TcpProxy[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const proxy of open.splice(0)) await proxy.close();
});
afterAll(() => database.drop());

async function startProxy(options?: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = await createTcpProxy(database.url, options);
  open.push(proxy);
  return proxy;
}

async function connect(proxy: TcpProxy): Promise<Client> {
  const client = new Client({ connectionString: proxy.url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

test('counts a simple query and an extended one as one request each, and no log-in', async () => {
  const seen: ProxiedRequest[] = [];
  const proxy = await startProxy({ onRequest: (request) => void seen.push(request) });
  const client = await connect(proxy);
  await client.query('SELECT 1; SELECT 2');
  await client.query('SELECT $1::int', [3]);
  await client.end();
  expect(seen.map(({ number, phase, sql }) => `${number} ${phase} ${sql}`)).toEqual([
    '1 before SELECT 1; SELECT 2',
    '1 after SELECT 1; SELECT 2',
    '2 before SELECT $1::int',
    '2 after SELECT $1::int',
  ]);
  expect(proxy).toMatchObject({ requestCount: 2, connectionCount: 1, peakConnectionCount: 1 });
});

test.each(['before', 'after'] as const)('a request that is dropped %s it is carried out', async (phase) => {
  await database.query('DROP TABLE IF EXISTS dropped');
  const proxy = await startProxy({ onRequest: (request) => (request.number === 2 && request.phase === phase ? 'drop' : 'forward') });
  const client = await connect(proxy);
  await client.query('SELECT 1');
  await expect(client.query('CREATE TABLE dropped ()')).rejects.toThrow('Connection terminated');
  const [row] = await database.query<{ table: string | null }>(`SELECT to_regclass('dropped')::text AS "table"`);
  expect(row?.table).toBe(phase === 'before' ? null : 'dropped');
});

test('delays each way, and not one request after the other', async () => {
  const proxy = await startProxy({ delayMs: 20 });
  const client = await connect(proxy);
  const start = performance.now();
  await client.query('SELECT 1');
  expect(performance.now() - start).toBeGreaterThanOrEqual(39);
  await client.end();
});

test('bytes that come one at a time are put together', async () => {
  const client = await connect(await startProxy({ isSliced: true }));
  expect((await client.query('SELECT $1::text AS text', ['sliced'])).rows).toEqual([{ text: 'sliced' }]);
  await client.end();
});

test('a reset reaches the client, a black hole never answers', async () => {
  const proxy = await startProxy();
  const first = await connect(proxy);
  const broken = first.query('SELECT pg_sleep(10)');
  setImmediate(() => proxy.reset());
  await expect(broken).rejects.toThrow();
  const second = await connect(proxy);
  proxy.setBlackHole(true);
  const answer = second.query({ text: 'SELECT 1', query_timeout: 100 } as never);
  await expect(answer).rejects.toThrow('timeout');
  proxy.reset();
  expect(proxy).toMatchObject({ connectionCount: 2, peakConnectionCount: 1 });
});
