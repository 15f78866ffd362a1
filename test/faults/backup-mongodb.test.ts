import { readdirSync } from 'node:fs';
import path from 'node:path';
import { BSON, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { createTestMongo, mongoUrl, type TestMongo } from '../rig/mongodb.js';
import { checksumMongoContents } from '../rig/mongodb-checksum.js';
import { createProject, type TestProject } from '../rig/project.js';

const migrations = {
  '0001_rich.mjs': `import { createRequire } from 'node:module';
const { BSON } = createRequire(process.env.RIG_REPOSITORY + '/package.json')('mongodb');
export async function up(db) {
  await db.createCollection('accounts', { validator: { name: { $type: 'string' } }, validationLevel: 'moderate' });
  await db.collection('accounts').createIndex({ name: 1 }, { unique: true, name: 'by name' });
  await db.collection('accounts').createIndex({ paid: -1, name: 1 }, { partialFilterExpression: { paid: { $gt: 0 } } });
  await db.collection('accounts').insertMany(Array.from({ length: 2_500 }, (_, n) => ({ name: 'Account ' + n, paid: n })));
  await db.collection('odd/ name%').insertMany([
    { _id: 1, int: new BSON.Int32(1), double: new BSON.Double(1), long: BSON.Long.fromString('1'), huge: BSON.Long.MAX_VALUE, money: BSON.Decimal128.fromString('1.10') },
    { _id: 'two', at: new Date(0), bytes: Buffer.from([0, 255]), pattern: /a.b/i, nothing: null, list: [1, [2, { x: -0 }]], stamp: new BSON.Timestamp({ t: 1, i: 2 }) },
    new Map([['_id', 3], ['10', 'first'], ['2', new Map([['b', 1], ['0', 2]])]]),
    { _id: new BSON.UUID('c2a0a4e4-52f8-4f4e-8e4b-1f3a0c7b5d11'), min: new BSON.MinKey(), code: new BSON.Code('x', { y: 1 }), text: '\\u0000 ü 😀' },
  ]);
  await db.createCollection('empty');
}
`,
};

describe('18 backup', { timeout: 120_000 }, () => {
  let mongo: TestMongo;
  let project: TestProject;
  const registryUrl = (): string => mongoUrl(mongo.url, `${mongo.namePrefix}_registry`);
  const home = (id: string): string => `${mongo.namePrefix}_t_${id}`;

  beforeAll(async () => {
    mongo = await createTestMongo();
    project = await createProject({
      migrations,
      config: `export default {
  registry: { url: ${JSON.stringify(registryUrl())} },
  clusters: { main: { url: ${JSON.stringify(mongo.url)} } },
  placement: ({ id }) => ({ cluster: 'main', driver: 'mongodb-database', name: '${mongo.namePrefix}_t_' + id }),
  migrations: { directory: './migrations' },
  backups: { directory: './backups' },
};
`,
    });
  });
  afterAll(async () => {
    await project?.remove();
    await mongo?.drop();
  });

  afterEach(() => checkInvariants({ adminUrl: mongo.url, registryUrl: registryUrl(), homePrefix: home('') }));

  const tenancy = async (args: readonly string[], exitCode = 0): Promise<string> => {
    const result = await project.run(args, { env: { RIG_REPOSITORY: path.resolve(import.meta.dirname, '../..') } });
    expect(result, args.join(' ')).toMatchObject({ exitCode });
    return `${result.stdout}${result.stderr}`;
  };
  const contents = (id: string): Promise<string> => checksumMongoContents(mongo.url, home(id));

  it('of mongodb-database restores equal to the checksum before the drop, and as another tenant beside it', async () => {
    await tenancy(['tenant', 'provision', 'acme', 'bystander']);
    const [before, bystander] = [await contents('acme'), await contents('bystander')];
    await tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme']);
    await tenancy(['tenant', 'restore', 'acme']);
    expect(await contents('acme')).toBe(before);
    await tenancy(['tenant', 'restore', 'acme', '--as', 'beta']);
    expect(await contents('beta')).toBe(before);
    expect(await contents('bystander')).toBe(bystander);
    // Each has a marker and a fence of its own.
    await project.write('migrations/0002_more.mjs', "export const up = (db) => db.createCollection('more');");
    await tenancy(['tenant', 'migrate', '--all']);
    await tenancy(['tenant', 'deprovision', 'beta', '--confirm', 'beta']);
    expect(await contents('acme')).not.toBe(before);
  });

  it("is laid out as mongodump's are", () => {
    const folder = path.join(project.directory, 'backups/acme');
    const [backup = ''] = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    const files = readdirSync(path.join(folder, backup, home('acme'))).sort();
    expect(files).toEqual(
      ['_tenancy', 'accounts', 'empty', 'odd%2F%20name%25'].flatMap((name) => [`${name}.bson`, `${name}.metadata.json`]).sort(),
    );
  });

  it('is refused where a file of it was changed', async () => {
    await tenancy(['tenant', 'provision', 'gamma']);
    await tenancy(['tenant', 'backup', 'gamma']);
    const folder = path.join(project.directory, 'backups/gamma');
    const [backup = ''] = readdirSync(folder).filter((name) => !name.endsWith('.json'));
    const { appendFileSync } = await import('node:fs');
    appendFileSync(path.join(folder, backup, home('gamma'), 'empty.bson'), BSON.serialize({ _id: 1 }));
    expect(await tenancy(['tenant', 'restore', 'gamma', '--as', 'delta'], 4)).toContain('is not what was backed up');
    const client = new MongoClient(mongo.url);
    const { databases } = await client
      .db('admin')
      .admin()
      .listDatabases({ nameOnly: true, filter: { name: home('delta') } });
    await client.close();
    expect(databases).toEqual([]);
  });
});
