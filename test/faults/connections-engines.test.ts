import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { createTestMongo } from '../rig/mongodb.js';
import { mysqlServer } from '../rig/mysql.js';
import { createRequestProxy } from '../rig/request-proxy.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProjectOptions } from '../rig/sandbox.js';
import { nameTenants } from './fixtures.js';
import { pendingMongodb } from './fixtures-mongodb.js';
import { readRun } from './read-run.js';
import { isWholeSweep } from './sweep.js';

const TENANTS = isWholeSweep ? 200 : 16;
const MIGRATE = ['tenant', 'migrate', '--all', '--json', '--concurrency', '4'];
const timeoutMs = 300_000;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function open(options: SandboxProjectOptions, serverUrl: string, driver: SandboxDriver): Promise<Sandbox> {
  const project = await createSandboxProject(options);
  ends.push(() => project.remove());
  const sandbox = await project.open(serverUrl, driver);
  ends.push(() => sandbox.drop());
  await sandbox.prepare(nameTenants(TENANTS));
  return sandbox;
}

/** Acts every 200 ms while the command runs; two further runs at most, the last in peace. Resolves to how often it hit. */
async function migrateUnder(sandbox: Sandbox, url: string, strike: () => Promise<number>): Promise<number> {
  let hits = 0;
  let exitCode = -1;
  const told: string[] = [];
  for (let run = 0; exitCode !== 0 && run < 3; run++) {
    let isOver = false;
    const command = (await sandbox.startThrough({ url }, MIGRATE, { timeoutMs })).result.finally(() => {
      isOver = true;
    });
    while (!isOver && run < 2) {
      hits += await strike();
      await Promise.race([delay(200), command.catch(() => null)]);
    }
    const result = await command;
    exitCode = result.exitCode;
    const { counts, failed, error } = readRun(result).finished;
    told.push(JSON.stringify({ exitCode, counts, error, failed: failed.slice(0, 3) }));
  }
  expect(exitCode, told.join('\n')).toBe(0);
  await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
  for (const id of nameTenants(TENANTS)) expect((await sandbox.readTenant(id))?.schema_version).toMatch(/^(0003_notes|0006_notes)$/);
  return hits;
}

describeOn('mariadb', () => {
  describe('11 sessions of MariaDB may be killed every 200 ms', { timeout: 600_000 }, () => {
    it('two further runs at most make it right', async () => {
      const one = (name: string, sql: string): string => `${sql};\nINSERT INTO counts VALUES ('${name}');\n`;
      const migrations = {
        '0001_counts.sql': one('0001_counts', 'CREATE TABLE counts (name varchar(100))'),
        '0002_orders.sql': `DO SLEEP(0.3);\n${one('0002_orders', 'CREATE TABLE orders (id int)')}`,
        '0003_notes.sql': one('0003_notes', 'ALTER TABLE orders ADD COLUMN note text'),
      };
      const server = await mysqlServer();
      const sandbox = await open({ migrations, before: ['0001_counts.sql'] }, server.url, 'mysql-database');
      // In no database: it is none of those that must be gone in the end.
      const killer = await createConnection({ uri: server.url });
      ends.push(() => killer.end());
      const hits = await migrateUnder(sandbox, sandbox.url, async () => {
        const like = `${sandbox.name.replaceAll('_', '\\_')}\\_%`;
        const [rows] = await killer.query(
          'SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND (DB = ? OR DB LIKE ?) ORDER BY RAND() LIMIT 2',
          [sandbox.name, like],
        );
        for (const { id } of rows as { id: number }[]) await killer.query(`KILL ${id}`).catch(() => undefined);
        return (rows as unknown[]).length;
      });
      expect(hits).toBeGreaterThan(5);
    });
  });
});

describe('11 connections to MongoDB may be cut every 200 ms', { timeout: 600_000 }, () => {
  it('two further runs at most make it right', async () => {
    const mongo = await createTestMongo();
    ends.push(() => mongo.drop());
    const sandbox = await open(pendingMongodb, mongo.url, 'mongodb-database');
    let isDue = false;
    let cuts = 0;
    // Whichever has something on the way then: a command that hasn't come, or an answer.
    const proxy = await createRequestProxy(sandbox.url, {
      onRequest: () => {
        if (!isDue) return 'forward';
        isDue = false;
        cuts += 1;
        return 'drop';
      },
    });
    ends.push(() => proxy.close());
    await migrateUnder(sandbox, proxy.url, async () => {
      isDue = true;
      return 0;
    });
    expect(cuts).toBeGreaterThan(5);
  });
});
