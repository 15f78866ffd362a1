import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { MongoClient } from 'mongodb';
import { createConnection } from 'mysql2/promise';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createMongoScene, createMysqlScene, type EngineScene, openSceneProject } from '../cli/engine-scene.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { checksumMongoContents } from '../rig/mongodb-checksum.js';
import { queryMysql } from '../rig/mysql.js';
import { checksumMysqlContents } from '../rig/mysql-checksum.js';
import { withDatabase } from '../rig/postgres.js';
import { suiteOn } from '../rig/require.js';

/** From when the command has ended, as `soft-delete.test.ts` has it. */
const MOST_MS = 1_000;

interface OpenSession {
  /** `answered`, or what the server says instead. */
  ask(): Promise<string>;
  close(): Promise<void>;
}

/** What is known of the engine: how the application comes in, and what is there to come back. */
interface Engine {
  createScene(): Promise<EngineScene>;
  /** Rejects where the login is not let in, or not to the tenant's data. */
  openSession(url: string, begin: readonly string[]): Promise<OpenSession>;
  /** What a session may be in the middle of. */
  readonly begins: readonly (readonly string[])[];
  checksum(scene: EngineScene, home: string): Promise<string>;
  /** A login that was made by hand for one home alone; its URL. */
  makeLogin(scene: EngineScene, home: string, name: string): Promise<string>;
  readRights(scene: EngineScene, home: string, name: string): Promise<unknown>;
}

const answer = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    (error: Error) => error.message,
  );

const mysql: Engine = {
  createScene: createMysqlScene,
  begins: [[], ['START TRANSACTION', 'SELECT COUNT(*) FROM accounts'], ['START TRANSACTION', 'SELECT * FROM accounts FOR UPDATE']],
  openSession: async (url, begin) => {
    const connection = await createConnection({ uri: url });
    connection.on('error', () => undefined);
    try {
      for (const sql of begin) await connection.query(sql);
      await connection.execute('SELECT COUNT(*) FROM accounts');
    } catch (error) {
      connection.destroy();
      throw error;
    }
    return { ask: () => answer(connection.execute('SELECT COUNT(*) FROM accounts')), close: async () => connection.destroy() };
  },
  checksum: ({ clusterUrl }, home) => checksumMysqlContents(clusterUrl, home),
  makeLogin: async ({ clusterUrl }, home, name) => {
    await queryMysql(clusterUrl, `CREATE USER '${name}'@'%' IDENTIFIED BY 'by-hand'`);
    onTestFinished(async () => void (await queryMysql(clusterUrl, `DROP USER IF EXISTS '${name}'@'%'`)));
    await queryMysql(clusterUrl, `GRANT SELECT, INSERT, UPDATE ON \`${home.replaceAll('_', '\\_')}\`.* TO '${name}'@'%'`);
    return asUser(withDatabase(clusterUrl, home), name);
  },
  readRights: ({ clusterUrl }, _home, name) => queryMysql(clusterUrl, `SHOW GRANTS FOR '${name}'@'%'`),
};

const mongodb: Engine = {
  createScene: createMongoScene,
  begins: [[]],
  openSession: async (url) => {
    const client = new MongoClient(url, { appName: 'the application', retryReads: false });
    const ask = (): Promise<unknown> => client.db().collection('accounts').findOne();
    try {
      await ask();
    } catch (error) {
      await client.close();
      throw error;
    }
    return { ask: () => answer(ask()), close: () => client.close() };
  },
  checksum: ({ clusterUrl }, home) => checksumMongoContents(clusterUrl, home),
  makeLogin: async ({ clusterUrl }, home, name) => {
    await withRoot(clusterUrl, (root) => root.db(home).command({ createUser: name, pwd: 'by-hand', roles: ['readWrite'] }));
    const url = new URL(asUser(clusterUrl, name));
    url.pathname = `/${home}`;
    url.searchParams.set('authSource', home);
    return url.href;
  },
  readRights: ({ clusterUrl }, home, name) =>
    withRoot(clusterUrl, async (root) => {
      const { users } = await root.db(home).command({ usersInfo: name });
      return (users as { roles: unknown }[]).map(({ roles }) => roles);
    }),
};

async function withRoot<T>(url: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { appName: 'rig' });
  return use(client).finally(() => client.close());
}

function asUser(url: string, name: string): string {
  const changed = new URL(url);
  changed.username = name;
  changed.password = 'by-hand';
  return changed.href;
}

const retain = ['tenant', 'deprovision', 'acme', '--retain', '30d', '--skip-backup', '--confirm', 'acme'];

function declare({ createScene, openSession, begins, checksum, makeLogin, readRights }: Engine): void {
  test.for([{ login: "the tenant's own" }, { login: 'made by hand for its database alone' }])(
    'a login that is $login',
    async ({ login }) => {
      const isOwn = login === "the tenant's own";
      const scene = await createScene();
      const project = await openSceneProject(scene, isOwn ? `isolation: 'role', secrets: { directory: './secrets' },` : '');
      const run = async (args: readonly string[]): Promise<string> => {
        const { exitCode, stdout, stderr } = await project.run(args);
        expect([args, exitCode, stderr]).toEqual([args, 0, stderr]);
        return stdout.trim();
      };
      await run(['tenant', 'provision', 'acme', 'bystander']);
      const homeOf = (id: string): string => `${scene.prefix}${id}`;
      const names = new Map(['acme', 'bystander'].map((id) => [id, `app_${randomBytes(4).toString('hex')}`]));
      const enter = async (id: string): Promise<string> =>
        isOwn ? run(['tenant', 'show', id, '--reveal-url']) : makeLogin(scene, homeOf(id), names.get(id) ?? '');
      const url = await enter('acme');
      const look = async (): Promise<unknown> => ({
        contents: await checksum(scene, homeOf('acme')),
        rights: isOwn ? null : await readRights(scene, homeOf('acme'), names.get('acme') ?? ''),
      });
      const before = await look();
      const bystander = await openSession(await enter('bystander'), []);
      const sessions = await Promise.all(begins.map((begin) => openSession(url, begin)));
      try {
        await run(retain);
        const endedMs = performance.now();
        for (const session of sessions) expect(await session.ask()).not.toBe('answered');
        await expect(openSession(url, [])).rejects.toThrow();
        expect(performance.now() - endedMs).toBeLessThan(MOST_MS);
        expect(await bystander.ask()).toBe('answered');

        await run(['tenant', 'undelete', 'acme']);
        expect(await look()).toEqual(before);
        const again = await openSession(url, []);
        expect(await again.ask()).toBe('answered');
        await again.close();
      } finally {
        for (const session of [...sessions, bystander]) await session.close();
      }

      // For good, and then anew: what opened the old one doesn't open the new one.
      await run(retain);
      await run(['tenant', 'purge', 'acme', '--early', '--confirm', 'acme']);
      await run(['tenant', 'provision', 'acme']);
      await expect(openSession(url, [])).rejects.toThrow();
      if (isOwn) await (await openSession(await enter('acme'), [])).close();
      await checkInvariants({ adminUrl: scene.clusterUrl, registryUrl: scene.registryUrl, homePrefix: scene.prefix });
    },
  );
}

const title = '19 soft delete: what is open gets errors, and all comes back:';
suiteOn('mariadb')(`${title} mysql-database`, { timeout: 120_000 }, () => declare(mysql));
describe(`${title} mongodb-database`, { timeout: 120_000 }, () => declare(mongodb));
