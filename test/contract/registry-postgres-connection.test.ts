import { once } from 'node:events';
import net from 'node:net';
import process from 'node:process';
import { expect, test } from 'vitest';
import { createRegistryConnection, type RegistryConnection } from '../../src/registry/postgres/connection.js';
import { startPgbouncer } from '../rig/pgbouncer.js';
import { createTestDatabase } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';

const connect = (url: string): RegistryConnection =>
  createRegistryConnection({ url, create: false, applicationName: 'tenancy-test', maxConnections: 1 });

const STATEMENT = 'SELECT $1::int + n AS sum FROM numbers';

async function send(db: RegistryConnection, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) expect(await db.query(STATEMENT, [time])).toEqual([{ sum: time + 1 }]);
}

/** By the only session that there is. */
const look = <Row>(db: RegistryConnection, sql: string): Promise<Row[]> =>
  db.withClient(async (client) => (await client.query(sql)).rows as Row[]);
const readPrepared = (db: RegistryConnection): Promise<{ statement: string; plans: number; sent: number }[]> =>
  look(db, 'SELECT statement, custom_plans::int AS plans, (custom_plans + generic_plans)::int AS sent FROM pg_prepared_statements');

async function withNumbers(use: (url: string) => Promise<void>): Promise<void> {
  const database = await createTestDatabase('18');
  try {
    await database.query('CREATE TABLE numbers AS SELECT 1 AS n');
    await use(database.url);
  } finally {
    await database.drop();
  }
}

async function withConnection(url: string, use: (db: RegistryConnection) => Promise<void>): Promise<void> {
  const db = connect(url);
  try {
    await use(db);
  } finally {
    await db.close();
  }
}

test('a statement that comes again and again is parsed once and planned a few times, and after a hundred times anew', () =>
  withNumbers((url) =>
    withConnection(url, async (db) => {
      await send(db, 4);
      expect(await readPrepared(db)).toEqual([]);
      await send(db, 100);
      expect(await readPrepared(db)).toEqual([{ statement: STATEMENT, plans: 5, sent: 100 }]);
      await send(db, 3);
      expect(await readPrepared(db)).toEqual([{ statement: STATEMENT, plans: 3, sent: 3 }]);
    }),
  ));

test.each([
  ['DEALLOCATE ALL', 'somebody throws them away'],
  ['ALTER TABLE numbers ALTER n TYPE bigint', 'what they answer has another type by now'],
  ['PREPARE tenancy_2_0 AS SELECT 1', 'a name is taken'],
])('%s: %s, and the statement goes through all the same', (sql) =>
  withNumbers((url) =>
    withConnection(url, async (db) => {
      await send(db, 8);
      await look(db, sql);
      const other = 'SELECT 7 AS seven';
      for (let time = 0; time < 8; time += 1) expect(await db.query(other, [])).toEqual([{ seven: 7 }]);
      for (let time = 0; time < 8; time += 1) expect(await db.query(STATEMENT, [1])).toMatchObject([{ sum: expect.anything() }]);
    }),
  ),
);

test('a connection that ends while it is lent is told by its answer, and ends no process', () =>
  withNumbers((url) =>
    withConnection(url, async (db) => {
      await expect(look(db, 'SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({
        code: 'TENANCY_REGISTRY_UNREACHABLE',
      });
      await send(db, 1);
    }),
  ));

/** What a server says to a session that an administrator ended: https://www.postgresql.org/docs/current/protocol-message-formats.html */
function formatFarewell(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0');
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

const READY = Buffer.from('Z\0\0\0\x05I');

/** In front of a server that ends the first session in the moment in which it is ready: greeting and farewell come in one piece. */
async function endFirstSession(url: string): Promise<{ readonly url: string; close(): void }> {
  const target = new URL(url);
  const port = Number(target.port);
  let sessions = 0;
  const listener = net.createServer((client) => {
    sessions += 1;
    const isFirst = sessions === 1;
    const server = net.connect({ host: target.hostname, port });
    client.pipe(server);
    for (const socket of [client, server]) socket.on('error', () => undefined);
    server.on('data', (chunk: Buffer) => {
      const isEnding = isFirst && chunk.subarray(-READY.length).equals(READY);
      if (isEnding) client.end(Buffer.concat([chunk, formatFarewell()]));
      else client.write(chunk);
    });
    server.on('close', () => client.destroy());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  target.port = String((listener.address() as net.AddressInfo).port);
  return { url: target.href, close: () => listener.close() };
}

test('a session that is ended right behind its greeting is replaced, and ends no process', () =>
  withNumbers(async (url) => {
    const ending = await endFirstSession(url);
    const escaped: unknown[] = [];
    const catchIt = (error: unknown): unknown => escaped.push(error);
    process.on('uncaughtException', catchIt);
    try {
      await withConnection(ending.url, (db) => send(db, 2));
      expect(escaped).toEqual([]);
    } finally {
      process.off('uncaughtException', catchIt);
      ending.close();
    }
  }));

describeOn('pgbouncer', () => {
  test('behind a pooler none is prepared, in whosever session', () =>
    withNumbers(async (url) => {
      const pooler = await startPgbouncer(url);
      try {
        await withConnection(pooler.url, async (db) => {
          await send(db, 20);
          expect(await readPrepared(db)).toEqual([]);
        });
      } finally {
        await pooler.stop();
      }
    }));
});
