import { MongoClient } from 'mongodb';
import { onTestFinished } from 'vitest';
import type { DriverName } from '../../src/tenant.js';
import { createTestMongo, mongoUrl } from '../rig/mongodb.js';
import { createTestMysql, queryMysql } from '../rig/mysql.js';
import { createTestDatabase, query, withDatabase } from '../rig/postgres.js';
import type { PostgresVersion } from '../rig/private-server.js';
import { createProject, type TestProject } from '../rig/project.js';

/** A server of one engine for one test: where its registry and tenants go, and what the test does behind the tool's back. */
export interface EngineScene {
  readonly driver: DriverName;
  readonly registryUrl: string;
  readonly clusterUrl: string;
  /** Begins every physical name. */
  readonly prefix: string;
  /** Two migrations with their way back: `accounts`, with one row or document, and `projects`. By file name. */
  readonly migrations: Readonly<Record<'first' | 'second', Readonly<Record<string, string>>>>;
  /** How many rows `accounts` has: more than one, and its migration was run twice. */
  countAccounts(home: string): Promise<number>;
  /** Puts in the way of the second migration what it would make. */
  obstruct(home: string): Promise<void>;
  clear(home: string): Promise<void>;
  /** Drops the home by hand. */
  dropHome(home: string): Promise<void>;
  /** Takes the tenant's row out of the registry, as one that was put back from before the tenant's time lacks it. */
  forget(id: string): Promise<void>;
  /** Puts another registry's mark on it. */
  markForeign(home: string): Promise<void>;
  /** Sets the checksum that its history has of a migration; what it was. */
  setChecksum(home: string, migration: string, checksum: string): Promise<void>;
  /** What a person types into the engine's shell. */
  type(home: string, command: string): Promise<void>;
  /** Connects by a tenant's own URL. */
  logIn(url: string): Promise<void>;
  /** How many logins of tenants there are on the server, of this scene. */
  countLogins(): Promise<number>;
  /** Names of the tenants' homes that are there. */
  listHomes(): Promise<readonly string[]>;
  /** A place for another registry on the same server; its URL. */
  makeOtherRegistry(): Promise<string>;
  drop(): Promise<void>;
}

/** A project over the scene, with the first of its migrations; the two go when the test ends. */
export async function openSceneProject(scene: EngineScene, configExtra = ''): Promise<TestProject> {
  const project = await createProject({
    databaseUrl: scene.clusterUrl,
    registryUrl: scene.registryUrl,
    namePrefix: scene.prefix,
    driver: scene.driver,
    migrations: scene.migrations.first,
    configExtra,
  });
  onTestFinished(async () => {
    await project.remove();
    await scene.drop();
  });
  return project;
}

const sqlMigrations = (key: string): EngineScene['migrations'] => ({
  first: {
    '0001_accounts.sql': `CREATE TABLE accounts (${key}, name varchar(100) NOT NULL);\nINSERT INTO accounts (name) VALUES ('it''s; one');\n`,
    '0001_accounts.down.sql': 'DROP TABLE accounts;\n',
  },
  second: { '0002_projects.sql': `CREATE TABLE projects (${key});\n`, '0002_projects.down.sql': 'DROP TABLE projects;\n' },
});

export async function createPostgresScene(version?: PostgresVersion): Promise<EngineScene> {
  const database = await createTestDatabase(version);
  const prefix = `${database.name}_`;
  const inHome = (home: string, sql: string) => query<{ n: number }>(withDatabase(database.url, home), sql);
  return {
    driver: 'postgres-database',
    registryUrl: database.url,
    clusterUrl: database.url,
    prefix,
    migrations: sqlMigrations('id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY'),
    countAccounts: async (home) => (await inHome(home, 'SELECT count(*)::int AS n FROM accounts'))[0]?.n ?? 0,
    obstruct: async (home) => void (await inHome(home, 'CREATE TABLE projects (id int)')),
    clear: async (home) => void (await inHome(home, 'DROP TABLE projects')),
    dropHome: async (home) => void (await database.query(`DROP DATABASE "${home}" WITH (FORCE)`)),
    forget: async (id) => void (await database.query(`DELETE FROM tenancy.tenants WHERE id = '${id}'`)),
    markForeign: async (home) =>
      void (await database.query(`COMMENT ON DATABASE "${home}" IS 'tenancy:{"tenant":"x","registry":"another","operation":"o"}'`)),
    setChecksum: async (home, migration, checksum) =>
      void (await inHome(home, `UPDATE _tenancy._tenancy_migrations SET checksum = '${checksum}' WHERE name = '${migration}'`)),
    type: async (_home, command) => void (await database.query(command)),
    logIn: async (url) => void (await query(url, 'SELECT 1')),
    countLogins: async () => {
      const [row] = await database.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_roles r, tenancy.registry g WHERE rolname ~ '^t_[0-9a-f]{24}_' AND shobj_description(r.oid, 'pg_authid') LIKE '%' || g.id || '%'`,
      );
      return row?.n ?? 0;
    },
    listHomes: async () => {
      const listed = 'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1';
      return (await database.query<{ name: string }>(listed, [prefix])).map(({ name }) => name);
    },
    makeOtherRegistry: async () => {
      await database.query(`CREATE DATABASE ${database.name}_other`);
      return withDatabase(database.url, `${database.name}_other`);
    },
    drop: () => database.drop(),
  };
}

export async function createMysqlScene(): Promise<EngineScene> {
  const database = await createTestMysql();
  const prefix = `${database.name}_`;
  const inHome = (home: string, sql: string) => queryMysql<{ n: number }>(withDatabase(database.url, home), sql);
  return {
    driver: 'mysql-database',
    registryUrl: database.url,
    clusterUrl: database.url,
    prefix,
    migrations: sqlMigrations('id int AUTO_INCREMENT PRIMARY KEY'),
    countAccounts: async (home) => Number((await inHome(home, 'SELECT count(*) AS n FROM accounts'))[0]?.n ?? 0),
    obstruct: async (home) => void (await inHome(home, 'CREATE TABLE projects (id int)')),
    clear: async (home) => void (await inHome(home, 'DROP TABLE projects')),
    dropHome: async (home) => void (await database.query(`DROP DATABASE \`${home}\``)),
    forget: async (id) => void (await database.query(`DELETE FROM tenancy_tenants WHERE id = '${id}'`)),
    markForeign: async (home) =>
      void (await inHome(
        home,
        `UPDATE _tenancy_state SET detail = '{"tenant":"x","registry":"another","operation":"o"}' WHERE type = 'marker'`,
      )),
    setChecksum: async (home, migration, checksum) =>
      void (await inHome(home, `UPDATE _tenancy_migrations SET checksum = '${checksum}' WHERE name = '${migration}'`)),
    type: async (_home, command) => void (await database.query(command)),
    logIn: async (url) => void (await queryMysql(url, 'SELECT 1')),
    countLogins: async () => {
      const listed = `SELECT count(*) AS n FROM _tenancy.accounts a JOIN mysql.user u ON BINARY u.User = BINARY a.user WHERE left(a.home, ?) = ?`;
      return Number((await database.query<{ n: number }>(listed, [prefix.length, prefix]))[0]?.n ?? 0);
    },
    listHomes: async () => {
      const listed = 'SELECT schema_name AS name FROM information_schema.schemata WHERE left(schema_name, ?) = ? ORDER BY 1';
      return (await database.query<{ name: string }>(listed, [prefix.length, prefix])).map(({ name }) => name);
    },
    makeOtherRegistry: async () => {
      await database.query(`CREATE DATABASE ${database.name}_other`);
      return withDatabase(database.url, `${database.name}_other`);
    },
    drop: () => database.drop(),
  };
}

export async function createMongoScene(): Promise<EngineScene> {
  const mongo = await createTestMongo();
  const prefix = `${mongo.namePrefix}_t_`;
  const client = new MongoClient(mongo.url, { appName: 'rig' });
  const collection = (name: string): string =>
    `export const up = (db) => db.createCollection('${name}');\nexport const down = (db) => db.dropCollection('${name}');\n`;
  return {
    driver: 'mongodb-database',
    registryUrl: mongoUrl(mongo.url, `${mongo.namePrefix}_registry`),
    clusterUrl: mongo.url,
    prefix,
    migrations: {
      first: {
        '0001_accounts.js': `export const up = (db) => db.collection('accounts').insertOne({ name: 'one' });\nexport const down = (db) => db.dropCollection('accounts');\n`,
      },
      second: { '0002_projects.js': collection('projects') },
    },
    countAccounts: (home) => client.db(home).collection('accounts').countDocuments(),
    // With other options: from 7.0 on the same once more is no error.
    obstruct: async (home) => void (await client.db(home).createCollection('projects', { validator: { name: { $type: 'string' } } })),
    clear: async (home) => void (await client.db(home).dropCollection('projects')),
    dropHome: async (home) => void (await client.db(home).dropDatabase()),
    forget: async (id) =>
      void (await client.db(`${mongo.namePrefix}_registry`).collection<{ _id: string }>('tenancy.tenants').deleteOne({ _id: id })),
    markForeign: async (home) =>
      void (await client
        .db(home)
        .collection('_tenancy')
        .updateOne({}, { $set: { tenant: 'x', registry: 'another', operation: 'o' } })),
    setChecksum: async (home, migration, checksum) => {
      const tenancy = client.db(home).collection('_tenancy');
      const { migrations } = (await tenancy.findOne({})) as unknown as { migrations: { name: string; checksum: string }[] };
      const changed = migrations.map((each) => (each.name === migration ? { ...each, checksum } : each));
      await tenancy.updateOne({}, { $set: { migrations: changed } });
    },
    // Of what mongosh takes as much as is offered: an update with its arguments in JSON.
    type: async (home, command) => {
      const [, filter, update] = /updateOne\((\{.*?\}), (\{.*\})\)$/.exec(command) ?? [];
      const parse = (text = ''): Record<string, unknown> =>
        JSON.parse(text.replace(/([{,])([$_]\w+):/g, '$1"$2":')) as Record<string, unknown>;
      await client.db(home).collection('_tenancy').updateOne(parse(filter), parse(update));
    },
    logIn: async (url) => {
      const own = new MongoClient(url, { appName: 'rig' });
      await own
        .db()
        .collection('accounts')
        .findOne()
        .finally(() => own.close());
    },
    countLogins: async () => {
      const { users } = await client.db('admin').command({ usersInfo: { forAllDBs: true } });
      return (users as { db: string }[]).filter(({ db }) => db.startsWith(prefix)).length;
    },
    listHomes: async () => {
      const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
      return databases
        .map(({ name }) => name)
        .filter((name) => name.startsWith(prefix))
        .sort();
    },
    makeOtherRegistry: async () => mongoUrl(mongo.url, `${mongo.namePrefix}_other`),
    drop: async () => {
      await client.close();
      await mongo.drop();
    },
  };
}
