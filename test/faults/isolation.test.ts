import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { createTestMongo } from '../rig/mongodb.js';
import { createTestMysql, queryMysql } from '../rig/mysql.js';
import { createTestDatabase, query, withDatabase } from '../rig/postgres.js';
import { createProject, type TestProject } from '../rig/project.js';
import { suiteOn } from '../rig/require.js';
import { type Attack, mysqlAttacks, postgresAttacks, postgresDatabaseAttacks } from './isolation-attacks.js';

/** Names that a pattern, a comparison without case or a prefix would take for one another. */
const IDS = ['a_b', 'aXb', 'a_bc', 'test_x'] as const;

const POSTGRES = `CREATE TABLE things (id serial PRIMARY KEY, value text DEFAULT 'a default that is told');
CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things /* a source that is told */';
CREATE VIEW seen AS SELECT value FROM things WHERE value <> 'a definition that is told';
COMMENT ON TABLE things IS 'a comment that is told';
INSERT INTO things (value) VALUES ('precious');
`;
const MYSQL = `CREATE TABLE things (id int AUTO_INCREMENT PRIMARY KEY, value varchar(80));
INSERT INTO things (value) VALUES ('precious');
CREATE PROCEDURE peek() SELECT COUNT(*) FROM things;
`;
const MONGODB = `export async function up(db) { await db.collection('things').insertOne({ value: 'precious' }); }
`;

interface Fleet {
  readonly tenancy: Tenancy;
  readonly urls: ReadonlyMap<string, string>;
  nameOf(id: string): string;
  loginOf(id: string): Promise<string>;
  close(): Promise<void>;
}

async function openFleet(url: string, registryUrl: string, driver: DriverName, prefix: string, migration: string): Promise<Fleet> {
  const extension = driver === 'mongodb-database' ? 'mjs' : 'sql';
  const project: TestProject = await createProject({ migrations: { [`0001_things.${extension}`]: migration } });
  const nameOf = (id: string): string => `${prefix}${id.toLowerCase()}`;
  const tenancy = await createTenancy(
    {
      registry: { url: registryUrl },
      clusters: { main: { url, concurrency: 4 } },
      placement: ({ id }) => ({ cluster: 'main', driver, name: nameOf(id) }),
      migrations: { directory: path.join(project.directory, 'migrations') },
      isolation: 'role',
      secrets: { directory: './secrets' },
    },
    { root: project.directory },
  );
  const report = await tenancy.provision(IDS);
  if (report.exitCode !== 0) throw new Error(JSON.stringify(report.failed));
  const urls = new Map<string, string>();
  for (const id of IDS) urls.set(id, await tenancy.connectionUrl(id));
  return {
    tenancy,
    urls,
    nameOf,
    loginOf: async (id) => (await tenancy.find(id)).login?.current ?? '',
    close: async () => {
      for (const id of IDS) await tenancy.deprovision(id, { confirm: id, skipBackup: true });
      await tenancy.close();
      await project.remove();
    },
  };
}

/** Of whom nothing may be reached, and by whom. */
const PAIRS = IDS.flatMap((attacker) => IDS.filter((victim) => victim !== attacker).map((victim) => [attacker, victim] as const));

async function attackOf(fleet: Fleet, [attacker, victim]: readonly [string, string], session: number, admin: string): Promise<Attack> {
  const otherLogin = await fleet.loginOf(victim);
  return {
    own: fleet.nameOf(attacker),
    other: fleet.nameOf(victim),
    ownLogin: await fleet.loginOf(attacker),
    otherLogin,
    otherGroup: otherLogin.slice(0, -2),
    session,
    admin,
  };
}

/** What each of the attacks came to, of those that weren't refused for want of the right: PostgreSQL's 42501, MySQL's `denied`, MongoDB's 13. */
async function findUnrefused(attacks: Readonly<Record<string, () => Promise<unknown>>>): Promise<string[]> {
  const found: string[] = [];
  for (const [what, attempt] of Object.entries(attacks)) {
    const failed = await attempt().then(
      () => null,
      (error: { readonly code?: string | number; readonly message: string }) => error,
    );
    if (failed === null) found.push(`${what}: succeeded`);
    else if (!isRefusal(failed)) found.push(`${what}: ${failed.code} ${failed.message}`);
  }
  return found;
}

function isRefusal({ code, message }: { readonly code?: string | number; readonly message: string }): boolean {
  return code === '42501' || code === 13 || /denied|not owner of thread|cross-database references are not implemented/.test(message);
}

function send(statements: readonly string[], query: (sql: string) => Promise<unknown>): Record<string, () => Promise<unknown>> {
  return Object.fromEntries(statements.map((sql) => [sql, () => query(sql)]));
}

describe.sequential.each(['postgres-schema', 'postgres-database'] as const)('21 isolation: %s', { timeout: 120_000 }, (driver) => {
  let fleet: Fleet;
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    database = await createTestDatabase('18');
    await database.query(
      `CREATE TABLE public.shared (secret text); CREATE FUNCTION public.shared() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::text'`,
    );
    fleet = await openFleet(database.url, database.url, driver, driver === 'postgres-schema' ? 'tenant_' : `${database.name}_`, POSTGRES);
  }, 120_000);
  afterAll(async () => {
    await fleet?.close();
    await database?.drop();
  });

  const withClient = async <T>(url: string, use: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  };

  it('nothing that one tenant tries on another succeeds', async ({ task }) => {
    const [{ admin } = { admin: '' }] = await query<{ admin: string }>(database.url, 'SELECT current_user AS admin');
    let tried = 0;
    for (const [attacker, victim] of PAIRS) {
      await withClient(fleet.urls.get(victim) ?? '', async (other) => {
        const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        const attack = await attackOf(fleet, [attacker, victim], rows[0]?.pid ?? 0, admin);
        const statements = driver === 'postgres-schema' ? postgresAttacks(attack) : postgresDatabaseAttacks(attack);
        await withClient(fleet.urls.get(attacker) ?? '', async (client) => {
          const succeeded = await findUnrefused(send(statements, (sql) => client.query(sql)));
          expect([attacker, victim, succeeded]).toEqual([attacker, victim, []]);
          tried += statements.length;
          // And what is its own still works.
          await client.query(`RESET ROLE; INSERT INTO things (value) VALUES ('mine')`);
          expect((await client.query('SELECT peek() > 0 AS ok')).rows).toEqual([{ ok: true }]);
        });
        // The other one has noticed nothing.
        expect((await other.query(`SELECT count(*)::int AS n FROM things WHERE value = 'precious'`)).rows).toEqual([{ n: 1 }]);
      });
    }
    task.meta.points = { tried, converged: tried };
  });

  it('the databases of others let nobody in, and ours shows no row, and lets nobody in either once it is closed', async () => {
    const url = fleet.urls.get('a_b') ?? '';
    if (driver === 'postgres-database') {
      await expect(withClient(withDatabase(url, fleet.nameOf('aXb')), async () => undefined)).rejects.toMatchObject({ code: '42501' });
      // Ours, and any other on the server, let in whom PUBLIC does, as the docs say: to see names, and no rows.
      const ours = withDatabase(url, new URL(database.url).pathname.slice(1));
      await withClient(ours, async (client) => {
        await expect(client.query('SELECT * FROM tenancy.tenants')).rejects.toMatchObject({ code: '42501' });
        expect((await client.query(`SELECT FROM pg_class WHERE relname = 'tenants'`)).rowCount).toBe(1);
      });
      // Closed as they say, it lets nobody in, and the tool goes on.
      await database.query(`REVOKE CONNECT, TEMPORARY ON DATABASE ${database.name} FROM PUBLIC`);
      await expect(withClient(ours, async () => undefined)).rejects.toMatchObject({ code: '42501' });
      expect((await fleet.tenancy.verify({ ids: ['a_b'] })).exitCode).toBe(0);
    } else {
      for (const sql of [
        'SELECT * FROM tenancy.tenants',
        'SELECT * FROM public.shared',
        'SELECT public.shared()',
        'CREATE TABLE public.x (id int)',
      ]) {
        await expect(withClient(url, (client) => client.query(sql))).rejects.toMatchObject({ code: '42501' });
      }
    }
  });

  // A database has a catalogue of its own, and so nothing to tell.
  const ofSchemas = driver === 'postgres-schema' ? it : () => undefined;
  ofSchemas('names, sources, definitions, comments and counts are told, as the docs say, and no rows and statistics', async () => {
    const other = fleet.nameOf('aXb');
    await database.query(`ANALYZE ${other}.things`);
    await withClient(fleet.urls.get('a_b') ?? '', async (client) => {
      const ask = async (sql: string): Promise<unknown> => Object.values((await client.query(sql, [other])).rows[0] ?? {})[0];
      expect(await ask('SELECT nspname FROM pg_namespace WHERE nspname = $1')).toBe(other);
      expect(await ask(`SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text = $1 AND relname = 'things'`)).toBe('things');
      expect(await ask(`SELECT prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = $1`)).toContain(
        'a source that is told',
      );
      expect(
        await ask(
          `SELECT pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relkind = 'v'`,
        ),
      ).toContain('a definition that is told');
      expect(
        await ask(
          `SELECT obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = 'things'`,
        ),
      ).toBe('a comment that is told');
      expect(
        await ask(
          `SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN pg_class c ON c.oid = adrelid JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname = $1 AND pg_get_expr(adbin, adrelid) LIKE '%told%'`,
        ),
      ).toContain('a default that is told');
      expect(
        Number(
          await ask(
            `SELECT reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = 'things'`,
          ),
        ),
      ).toBeGreaterThan(0);
      expect(await ask(`SELECT rolname FROM pg_roles WHERE $1 <> '' AND rolname = '${await fleet.loginOf('aXb')}'`)).toBe(
        await fleet.loginOf('aXb'),
      );
      // Hidden.
      expect(await ask('SELECT count(*)::int FROM pg_stats WHERE schemaname = $1')).toBe(0);
      expect(await ask('SELECT count(*)::int FROM information_schema.tables WHERE table_schema = $1')).toBe(0);
    });
  });
});

suiteOn('mariadb')('21 isolation: mysql-database', { timeout: 120_000 }, () => {
  let fleet: Fleet;
  let server: Awaited<ReturnType<typeof createTestMysql>>;
  beforeAll(async () => {
    server = await createTestMysql();
    fleet = await openFleet(server.url, server.url, 'mysql-database', `${server.name}_`, MYSQL);
  }, 120_000);
  afterAll(async () => {
    await fleet?.close();
    await server?.drop();
  });

  it('nothing that one tenant tries on another succeeds, and it sees no name of another', async ({ task }) => {
    let tried = 0;
    for (const [attacker, victim] of PAIRS) {
      const other = await createConnection({ uri: fleet.urls.get(victim) ?? '' });
      const attack = await attackOf(fleet, [attacker, victim], other.threadId, 'root');
      const client = await createConnection({ uri: fleet.urls.get(attacker) ?? '' });
      try {
        const statements = mysqlAttacks(attack);
        const succeeded = await findUnrefused(send(statements, (sql) => client.query(sql)));
        expect([attacker, victim, succeeded]).toEqual([attacker, victim, []]);
        tried += statements.length;
        const ask = async (sql: string): Promise<unknown[]> =>
          (await client.query<RowDataPacket[]>(sql))[0].map((row) => Object.values(row)[0]);
        expect(await ask('SHOW DATABASES')).not.toContain(attack.other);
        expect(await ask(`SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${attack.other}'`)).toEqual([0]);
        expect(await ask(`SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '${attack.otherLogin}'`)).toEqual([0]);
        expect(await ask(`SELECT LOAD_FILE('/etc/hostname')`)).toEqual([null]);
        await client.query(`INSERT INTO things (value) VALUES ('mine')`);
        await client.query('CALL peek()');
        expect((await other.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM things WHERE value = 'precious'`))[0]).toMatchObject([
          { n: 1 },
        ]);
      } finally {
        client.destroy();
        other.destroy();
      }
    }
    task.meta.points = { tried, converged: tried };
    expect(await queryMysql(server.url, `SELECT Db FROM mysql.db WHERE User = '${await fleet.loginOf('a_b')}'`)).toEqual([
      { Db: fleet.nameOf('a_b').replaceAll('_', '\\_') },
    ]);
  });
});

/** It has no such commands or stages, and would refuse them for that alone. */
const UNKNOWN_TO_STAND_IN = new Set(['out', 'merge', 'rename across', 'make a role', 'shut down']);

describe('21 isolation: mongodb-database', { timeout: 120_000 }, () => {
  let fleet: Fleet;
  let mongo: Awaited<ReturnType<typeof createTestMongo>>;
  let registry: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    [mongo, registry] = await Promise.all([createTestMongo(), createTestDatabase('18')]);
    fleet = await openFleet(mongo.url, registry.url, 'mongodb-database', `${mongo.namePrefix}_`, MONGODB);
  }, 120_000);
  afterAll(async () => {
    await fleet?.close();
    await mongo?.drop();
    await registry?.drop();
  });

  const withDb = async <T>(id: string, use: (client: MongoClient) => Promise<T>): Promise<T> => {
    const client = new MongoClient(fleet.urls.get(id) ?? '', { retryReads: false, retryWrites: false });
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };

  it('nothing that one tenant tries on another succeeds', async ({ task }) => {
    let tried = 0;
    for (const [attacker, victim] of PAIRS) {
      const { own, other, ownLogin, otherLogin } = await attackOf(fleet, [attacker, victim], 0, 'root');
      await withDb(attacker, async (client) => {
        const [mine, theirs, admin] = [client.db(own), client.db(other), client.db('admin')];
        const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
          find: () => theirs.collection('things').findOne(),
          count: () => theirs.collection('things').countDocuments(),
          distinct: () => theirs.collection('things').distinct('value'),
          insert: () => theirs.collection('things').insertOne({ value: 'x' }),
          update: () => theirs.collection('things').updateMany({}, { $set: { value: 'x' } }),
          delete: () => theirs.collection('things').deleteMany({}),
          'find and modify': () => theirs.collection('things').findOneAndDelete({}),
          'bulk write': () => theirs.collection('things').bulkWrite([{ insertOne: { document: {} } }]),
          aggregate: () =>
            theirs
              .collection('things')
              .aggregate([{ $match: {} }])
              .toArray(),
          out: () =>
            mine
              .collection('things')
              .aggregate([{ $out: { db: other, coll: 'planted' } }])
              .toArray(),
          merge: () =>
            mine
              .collection('things')
              .aggregate([{ $merge: { into: { db: other, coll: 'things' } } }])
              .toArray(),
          'list collections': () => theirs.listCollections().toArray(),
          'list indexes': () => theirs.collection('things').indexes(),
          'create a collection': () => theirs.createCollection('planted'),
          'create an index': () => theirs.collection('things').createIndex({ value: 1 }),
          'drop an index': () => theirs.command({ dropIndexes: 'things', index: '*' }),
          'drop a collection': () => theirs.collection('things').drop(),
          'drop the database': () => theirs.dropDatabase(),
          'rename across': () => admin.command({ renameCollection: `${other}.things`, to: `${own}.stolen` }),
          'read our marker': () => theirs.collection('_tenancy').findOne(),
          'write our marker': () => theirs.collection<{ _id: string }>('_tenancy').updateOne({ _id: 'home' }, { $set: { tenant: 'x' } }),
          'users of the other': () => theirs.command({ usersInfo: 1 }),
          'all users': () => admin.command({ usersInfo: { forAllDBs: true } }),
          'make a user there': () => theirs.command({ createUser: 'planted', pwd: 'x', roles: [] }),
          'make a user here': () => mine.command({ createUser: 'planted', pwd: 'x', roles: [] }),
          'another password for the other': () => theirs.command({ updateUser: otherLogin, pwd: 'x' }),
          'more roles for itself': () => mine.command({ updateUser: ownLogin, roles: [{ role: 'readWrite', db: other }] }),
          'grant itself': () => mine.command({ grantRolesToUser: ownLogin, roles: [{ role: 'root', db: 'admin' }] }),
          'other marker on itself': () => mine.command({ updateUser: ownLogin, customData: {} }),
          'take roles': () => theirs.command({ revokeRolesFromUser: otherLogin, roles: ['readWrite'] }),
          'drop the other': () => theirs.command({ dropUser: otherLogin }),
          'make a role': () => mine.command({ createRole: 'planted', privileges: [], roles: [] }),
          'read system.users': () => admin.collection('system.users').findOne(),
          'read system.version': () => admin.collection('system.version').findOne(),
          'read config': () => client.db('config').collection('settings').findOne(),
          'read the oplog': () => client.db('local').collection('oplog.rs').findOne(),
          'server status': () => admin.command({ serverStatus: 1 }),
          'current operations': () => admin.command({ currentOp: 1 }),
          'end all sessions': () => admin.command({ killAllSessions: [{ user: otherLogin, db: other }] }),
          'set a parameter': () => admin.command({ setParameter: 1, logLevel: 1 }),
          'shut down': () => admin.command({ shutdown: 1 }),
        };
        const known = Object.entries(attacks).filter(([name]) => !(mongo.isStandIn && UNKNOWN_TO_STAND_IN.has(name)));
        const succeeded = await findUnrefused(Object.fromEntries(known));
        expect([attacker, victim, succeeded]).toEqual([attacker, victim, []]);
        tried += known.length;
        await mine.collection('things').insertOne({ value: 'mine' });
      });
      expect(await withDb(victim, (client) => client.db().collection('things').countDocuments({ value: 'precious' }))).toBe(1);
    }
    task.meta.points = { tried, converged: tried };
  });

  it('roles that a tenant writes into its own database are not given to it when it is resumed', async () => {
    const own = fleet.nameOf('test_x');
    const login = await fleet.loginOf('test_x');
    await withDb('test_x', (client) =>
      client
        .db(own)
        .collection<{ _id: string }>('_tenancy')
        .updateOne({ _id: 'home' }, { $set: { cut: [{ user: login, roles: [{ role: 'root', db: 'admin' }] }] } }),
    );
    expect((await fleet.tenancy.suspend('test_x')).exitCode).toBe(0);
    expect((await fleet.tenancy.resume('test_x')).exitCode).toBe(0);
    const root = new MongoClient(mongo.url);
    try {
      const { users } = await root.db(own).command({ usersInfo: login });
      expect(users[0].roles).toEqual([{ role: 'readWrite', db: own }]);
    } finally {
      await root.close();
    }
  });
});

describe('13 fan-out grants: 200 tenants with logins of their own at 20 in a shared database', { timeout: 240_000 }, () => {
  it('no race on the catalogue reaches the user, and the connections stay within the cap', async ({ task }) => {
    const database = await createTestDatabase('18');
    const root = await mkdtemp(path.join(os.tmpdir(), 'fan-out-'));
    const cap = 20;
    const told: string[] = [];
    const tenancy = await createTenancy(
      {
        registry: { url: database.url },
        clusters: { main: { url: database.url, concurrency: cap } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` }),
        isolation: 'role',
        secrets: { directory: './secrets' },
      },
      { root, onEvent: (event) => void told.push(JSON.stringify(event)) },
    );
    const watch = new Client({ connectionString: database.url });
    await watch.connect();
    let most = 0;
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const { rows } = await watch.query<{ n: number }>(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        );
        most = Math.max(most, rows[0]?.n ?? 0);
      }
    })();
    try {
      const ids = Array.from({ length: 200 }, (_, index) => `t${index}`);
      const report = await tenancy.provision(ids);
      expect(report.failed).toEqual([]);
      expect(report.counts.applied).toBe(200);
      for (const code of ['XX000', '23505', '53300', 'tuple concurrently', 'tenant.retried']) {
        expect(told.filter((event) => event.includes(code))).toEqual([]);
      }
      task.meta.points = { tried: 200, converged: report.counts.applied };
      // The registry has two besides.
      expect(most).toBeLessThanOrEqual(cap + 2);
      await tenancy.close();
      await checkInvariants({ adminUrl: database.url, registryUrl: database.url });
    } finally {
      isOver = true;
      await watching;
      await watch.end();
      await tenancy.close();
      await database.query(`DO $$ DECLARE r text; BEGIN
        FOR r IN SELECT rolname FROM pg_roles, tenancy.registry g WHERE shobj_description(pg_roles.oid, 'pg_authid') LIKE '%"registry":"' || g.id || '"%'
        LOOP EXECUTE format('DROP OWNED BY %I CASCADE', r); EXECUTE format('DROP ROLE %I', r); END LOOP; END $$`);
      await database.drop();
      await rm(root, { recursive: true, force: true });
    }
  });
});
