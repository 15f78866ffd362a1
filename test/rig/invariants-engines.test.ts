import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants, checksumTenants } from './check-invariants.js';
import { createTestMongo, type TestMongo } from './mongodb.js';
import { mysqlServer } from './mysql.js';
import { describeOn } from './require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from './sandbox.js';
import { withMongo } from './sandbox-mongodb.js';

/** What breaks one of them, and how the checker calls it. `undo` is run after the look. */
interface Break<Act> {
  readonly what: string;
  readonly act: Act;
  readonly undo: Act;
  readonly told: RegExp;
}

/** A checker that finds nothing in a broken place would let every sweep pass. */
function describeChecker<Act>(
  driver: SandboxDriver,
  migrations: Readonly<Record<string, string>>,
  serverUrl: () => Promise<string>,
  breaks: readonly Break<Act>[],
  carryOut: (sandbox: Sandbox, act: Act) => Promise<unknown>,
): void {
  describe(`the invariants of ${driver}`, () => {
    let project: SandboxProject;
    let sandbox: Sandbox;
    let bystanders: ReadonlyMap<string, string>;
    beforeAll(async () => {
      project = await createSandboxProject({ migrations });
      sandbox = await project.open(await serverUrl(), driver);
      await sandbox.prepare(['acme', 'other']);
      bystanders = await checksumTenants(sandbox.url, sandbox.url, ['other']);
    });
    afterAll(async () => {
      await sandbox?.drop();
      await project?.remove();
    });
    const check = (): Promise<void> => checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, bystanders });

    it('hold where nothing is broken', () => check());

    it.each(breaks)('tell of $what', async ({ act, undo, told }) => {
      await carryOut(sandbox, act);
      await expect(check()).rejects.toThrow(told);
      await carryOut(sandbox, undo);
      await check();
    });
  });
}

describeOn('mariadb', () => {
  const first = `CREATE TABLE counts (name varchar(100)); INSERT INTO counts VALUES ('0001_first');`;
  const inHome = (sql: string) => (sandbox: Sandbox) => [sql.replaceAll('@@', `${sandbox.name}_acme`)];
  const inOther = (sql: string) => (sandbox: Sandbox) => [sql.replaceAll('@@', `${sandbox.name}_other`)];
  describeChecker<(sandbox: Sandbox) => string[]>(
    'mysql-database',
    { '0001_first.sql': first },
    async () => (await mysqlServer()).url,
    [
      {
        what: 'a migration that ran twice',
        act: inHome(`INSERT INTO \`@@\`.counts VALUES ('0001_first')`),
        undo: inHome('DELETE FROM `@@`.counts LIMIT 1'),
        told: /acme: 0001_first ran 2 times/,
      },
      {
        what: 'a history that lacks what ran',
        act: inHome('UPDATE `@@`._tenancy_migrations SET position = position + 1'),
        undo: inHome('UPDATE `@@`._tenancy_migrations SET position = position - 1'),
        told: /acme: its history has gaps/,
      },
      {
        what: 'a statement that is under way',
        act: inHome(`INSERT INTO \`@@\`._tenancy_state (type, name) VALUES ('progress', '0002_second')`),
        undo: inHome(`DELETE FROM \`@@\`._tenancy_state WHERE type = 'progress'`),
        told: /acme: 0002_second is still under way/,
      },
      {
        what: 'an orphaned database',
        act: inHome('CREATE DATABASE `@@_left`'),
        undo: inHome('DROP DATABASE `@@_left`'),
        told: /_acme_left is an orphan: a database of no tenant/,
      },
      {
        what: 'a ledger that says otherwise',
        act: inHome(`UPDATE _tenancy.homes SET state = 'dropping' WHERE name = '@@'`),
        undo: inHome(`UPDATE _tenancy.homes SET state = 'made' WHERE name = '@@'`),
        told: /acme: the ledger says .*dropping/,
      },
      {
        what: 'rights that outlived their database',
        act: inHome(`GRANT SELECT ON \`@@_gone\`.* TO '@@'@'%' IDENTIFIED BY 'x'`),
        undo: inHome(`DROP USER '@@'@'%'`),
        told: /still has rights on f_\w+_acme_gone/,
      },
      {
        what: 'an operation that is not over',
        act: () => [`UPDATE tenancy_tenants SET operation = '{"id":"x"}' WHERE id = 'acme'`],
        undo: () => [`UPDATE tenancy_tenants SET operation = NULL WHERE id = 'acme'`],
        told: /acme: the operation .* is not over/,
      },
      {
        what: 'a tenant that is retained in the registry alone',
        act: () => [`UPDATE tenancy_tenants SET status = 'retained' WHERE id = 'acme'`],
        undo: () => [`UPDATE tenancy_tenants SET status = 'active' WHERE id = 'acme'`],
        told: /acme: the ledger says .*made[^]*acme is retained, and nobody knows by which operation/,
      },
      {
        what: 'a bystander that was changed',
        act: inOther('CREATE TABLE `@@`.more (id int)'),
        undo: inOther('DROP TABLE `@@`.more'),
        told: /other, a bystander, was changed/,
      },
    ],
    async (sandbox, act) => {
      for (const sql of act(sandbox)) await sandbox.query(sql);
    },
  );
});

describe('on MongoDB', () => {
  let mongo: TestMongo;
  afterAll(() => mongo?.drop());
  const first = `export const transaction = true;
    export const up = (db, { session }) => db.collection('counts').insertOne({ name: '0001_first' }, { session });`;
  type Act = (home: import('mongodb').Db, registry: import('mongodb').Db) => Promise<unknown>;
  describeChecker<Act>(
    'mongodb-database',
    { '0001_first.mjs': first },
    async () => {
      mongo = await createTestMongo();
      return mongo.url;
    },
    [
      {
        what: 'a migration that ran twice',
        act: (home) => home.collection<{ _id: string; name: string }>('counts').insertOne({ _id: 'twice', name: '0001_first' }),
        undo: (home) => home.collection<{ _id: string }>('counts').deleteOne({ _id: 'twice' }),
        told: /acme: 0001_first ran 2 times/,
      },
      {
        what: 'a step that is under way',
        act: (home) => home.collection('_tenancy').updateOne({}, { $set: { progress: { name: '0002_second' } } }),
        undo: (home) => home.collection('_tenancy').updateOne({}, { $set: { progress: null } }),
        told: /acme: .*0002_second.* is still under way/,
      },
      {
        what: 'a history that the registry does not know',
        act: (home) => home.collection('_tenancy').updateOne({}, { $set: { 'migrations.0.name': '0001_other' } }),
        undo: (home) => home.collection('_tenancy').updateOne({}, { $set: { 'migrations.0.name': '0001_first' } }),
        told: /acme: the registry says 0001_first, the tenant 0001_other[^]*acme: the registry's hash isn't/,
      },
      {
        what: 'an orphaned database',
        act: (home, registry) => registry.client.db(`${home.databaseName}_left`).collection('a').insertOne({}),
        undo: (home, registry) => registry.client.db(`${home.databaseName}_left`).dropDatabase(),
        told: /_acme_left is an orphan: a database of no tenant/,
      },
      {
        what: 'a user that outlived its database',
        act: (home, registry) => registry.client.db(`${home.databaseName}_gone`).command({ createUser: 'app', pwd: 'x', roles: [] }),
        undo: (home, registry) => registry.client.db(`${home.databaseName}_gone`).command({ dropUser: 'app' }),
        told: /the user app of f_\w+_acme_gone is still there/,
      },
      {
        what: 'a tenant that is retained in the registry alone',
        act: (_, registry) =>
          registry.collection<{ _id: string }>('tenancy.tenants').updateOne({ _id: 'acme' }, { $set: { status: 'retained' } }),
        undo: (_, registry) =>
          registry.collection<{ _id: string }>('tenancy.tenants').updateOne({ _id: 'acme' }, { $set: { status: 'active' } }),
        told: /acme is retained, and nobody knows by which operation[^]*acme: its home is ready/,
      },
      {
        what: 'a bystander that was changed',
        act: (home) => home.client.db(home.databaseName.replace(/acme$/, 'other')).collection('more').insertOne({}),
        undo: (home) => home.client.db(home.databaseName.replace(/acme$/, 'other')).dropCollection('more'),
        told: /other, a bystander, was changed/,
      },
    ],
    (sandbox, act) => withMongo(sandbox.url, (client) => act(client.db(`${sandbox.name}_acme`), client.db())),
  );
});
