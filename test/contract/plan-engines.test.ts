import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestMongo, mongoUrl } from '../rig/mongodb.js';
import { createTestMysql, queryMysql } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';

/** A server, and a login on it that may only read. */
interface Subject {
  readonly driver: DriverName;
  readonly prefix: string;
  readonly writer: { readonly registry: string; readonly cluster: string };
  readonly reader: { readonly registry: string; readonly cluster: string };
  readonly migrations: Readonly<Record<string, string>>;
  dump(): Promise<unknown>;
  drop(): Promise<void>;
}

const PASSWORD = 'reads-only';

function as(url: string, user: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = PASSWORD;
  return changed.href;
}

async function createMysqlSubject(): Promise<Subject> {
  const { url, name, query, drop } = await createTestMysql();
  const user = `${name}_r`;
  await query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${PASSWORD}'`);
  await query(`GRANT SELECT ON *.* TO '${user}'@'%'`);
  const sql = (table: string): Readonly<Record<string, string>> => ({
    [`${table}.sql`]: `CREATE TABLE t${table} (id int PRIMARY KEY);\n`,
    [`${table}.down.sql`]: `DROP TABLE t${table};\n`,
  });
  return {
    driver: 'mysql-database',
    prefix: `${name}_`,
    writer: { registry: url, cluster: url },
    reader: { registry: as(url, user), cluster: as(url, user) },
    migrations: { ...sql('0001'), ...sql('0002') },
    dump: async () => {
      const tables = await query<{ s: string; t: string }>(
        'SELECT table_schema AS s, table_name AS t FROM information_schema.tables WHERE table_schema = ? OR table_schema LIKE ? ORDER BY 1, 2',
        [name, `${name.replaceAll('_', '\\_')}\\_%`],
      );
      return Promise.all(tables.map(async ({ s, t }) => [s, t, await queryMysql(url, `SELECT * FROM \`${s}\`.\`${t}\` ORDER BY 1`)]));
    },
    drop,
  };
}

async function createMongoSubject(): Promise<Subject> {
  const { url, namePrefix, drop } = await createTestMongo();
  const client = new MongoClient(url, { appName: 'rig' });
  const user = `${namePrefix}_r`;
  const roles = ['readAnyDatabase', 'clusterMonitor'].map((role) => ({ role, db: 'admin' }));
  await client.db('admin').command({ createUser: user, pwd: PASSWORD, roles });
  const registry = mongoUrl(url, `${namePrefix}_registry`);
  const js = (name: string): Readonly<Record<string, string>> => ({
    [`${name}.js`]: `export const up = (db) => db.createCollection('c${name}');\nexport const down = (db) => db.dropCollection('c${name}');\n`,
  });
  return {
    driver: 'mongodb-database',
    prefix: `${namePrefix}_t_`,
    writer: { registry, cluster: url },
    reader: { registry: as(mongoUrl(url, `${namePrefix}_registry`), user), cluster: as(url, user) },
    migrations: { ...js('0001'), ...js('0002') },
    dump: async () => {
      const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
      const own = databases.filter(({ name }) => name.startsWith(namePrefix)).sort((a, b) => (a.name < b.name ? -1 : 1));
      return Promise.all(
        own.map(async ({ name }) => {
          const collections = (await client.db(name).listCollections({}, { nameOnly: true }).toArray()).map((each) => each.name).sort();
          return [
            name,
            await Promise.all(
              collections.map(async (each) => [each, await client.db(name).collection(each).find().sort({ _id: 1 }).toArray()]),
            ),
          ];
        }),
      );
    },
    drop: async () => {
      await client.close();
      await drop();
    },
  };
}

describeOn('mariadb', () => describePlans('MySQL', createMysqlSubject));
describeOn('mongodb', () => describePlans('MongoDB', createMongoSubject));

function describePlans(name: string, createSubject: () => Promise<Subject>): void {
  describe(`on ${name}`, () => {
    let subject: Subject;
    let directory: string;
    const opened: Tenancy[] = [];

    beforeEach(async () => {
      [subject, directory] = await Promise.all([createSubject(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
      await Promise.all([subject.drop(), rm(directory, { recursive: true })]);
    });

    async function open({ registry, cluster }: Subject['writer']): Promise<Tenancy> {
      const { driver, prefix } = subject;
      const tenancy = await createTenancy(
        {
          registry: { url: registry },
          clusters: { main: { url: cluster } },
          placement: ({ id }) => ({ cluster: 'main', driver, name: `${prefix}${id}` }),
          migrations: { directory: '.' },
        },
        { root: directory },
      );
      opened.push(tenancy);
      return tenancy;
    }

    test('a dry run needs no right to write, and a saved plan is carried out', async () => {
      for (const [file, text] of Object.entries(subject.migrations)) await writeFile(path.join(directory, file), text);
      const writer = await open(subject.writer);
      await writer.provision(['acme', 'globex']);
      await writer.rollback({ all: true }, { to: '1' });
      const before = await subject.dump();
      const reader = await open(subject.reader);
      const save = path.join(directory, 'plan.json');
      for (const forceVerify of [false, true]) {
        expect(await reader.migrate({ all: true }, { dryRun: true, forceVerify, save })).toMatchObject({ exitCode: 0, pending: 2 });
        expect(await reader.carryOut('migrate', save, { dryRun: true, forceVerify })).toMatchObject({ exitCode: 0, pending: 2 });
        expect(await reader.rollback({ all: true }, { to: 'none', dryRun: true, forceVerify })).toMatchObject({ exitCode: 0, pending: 2 });
      }
      expect(await subject.dump()).toEqual(before);
      expect(await writer.carryOut('migrate', save)).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
      expect((await writer.find('acme')).schemaVersion).toBe('0002');
    });
  });
}
