import { randomBytes } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliResult, cleanEnvironment, ensureBuilt, repositoryRoot, runCli } from '../rig/cli.js';
import { createTestMongo, mongoUrl, type TestMongo } from '../rig/mongodb.js';
import { copyExample, type ExampleCopy } from './copy-example.js';

let mongo: TestMongo;
let example: ExampleCopy;
let client: MongoClient;
/** Their databases aren't called after the test's, so that they aren't like any other test's. */
const [acme, globex] = ['acme', 'globex'].map((name) => `${name}-${randomBytes(4).toString('hex')}`) as [string, string];

beforeAll(async () => {
  await ensureBuilt();
  mongo = await createTestMongo();
  example = copyExample('migrate-mongo');
  for (const name of ['mongodb', 'migrate-mongo']) {
    symlinkSync(path.join(repositoryRoot, 'node_modules', name), path.join(example.directory, 'node_modules', name), 'dir');
  }
  client = await new MongoClient(mongo.url).connect();
});
afterAll(async () => {
  for (const id of [acme, globex]) await home(id).dropDatabase();
  await client?.close();
  example?.remove();
  await mongo?.drop();
});

const home = (id: string): Db => client.db(`tenant_${id}`);

async function applied(id: string): Promise<string[]> {
  const entries = await home(id).collection('changelog').find().sort({ fileName: 1 }).toArray();
  return entries.map(({ fileName }) => String(fileName));
}

function tenancy(...args: string[]): Promise<CliResult> {
  return runCli(args, {
    cwd: example.directory,
    env: { ...cleanEnvironment(), MONGODB_URL: mongoUrl(mongo.url, `${mongo.namePrefix}_registry`) },
  });
}

const first = ['20240115093000-accounts.mjs', '20240220110500-plans.mjs'];
const next = '20240301080000-notes.mjs';

test("each tenant gets its migrations, and the tool's changelog, in its own database", async () => {
  const { exitCode, stderr } = await tenancy('tenant', 'provision', acme, globex);
  expect(exitCode, stderr).toBe(0);
  for (const id of [acme, globex]) {
    expect(await applied(id)).toEqual(first);
    expect(await home(id).collection('plans').countDocuments()).toBe(1);
  }
  expect((await tenancy('tenant', 'list')).stdout.match(/20240220110500-plans/g)).toHaveLength(2);
});

test('a new migration reaches all of them, and one that fails is named with its tenant', async () => {
  await home(globex).createCollection('notes');
  writeFileSync(
    path.join(example.directory, 'migrations', next),
    `export async function up(db, client) {
  if (client.db(db.databaseName).databaseName !== db.databaseName) throw new Error('no client');
  if (client.db().databaseName !== db.databaseName) throw new Error('another database');
  await client.close();
  try {
    client.db('admin');
    throw new Error('reached admin');
  } catch (error) {
    if (!error.message.includes('reaches beyond the tenant')) throw error;
  }
  if ((await db.listCollections({ name: 'notes' }).toArray()).length > 0) throw new Error('notes is there already');
  await db.createCollection('notes');
}
`,
  );
  const { exitCode, stdout, stderr } = await tenancy('tenant', 'migrate', '--all');
  expect(exitCode, stderr).toBe(1);
  expect(stdout + stderr).toContain(globex);
  expect(stdout + stderr).toContain(`${next}: notes is there already`);
  expect([await applied(acme), await applied(globex)]).toEqual([[...first, next], first]);

  await home(globex).dropCollection('notes');
  expect((await tenancy('tenant', 'migrate', '--all')).exitCode).toBe(0);
  expect(await applied(globex)).toEqual([...first, next]);
});

test('with nothing to do, nothing is done', async () => {
  const { exitCode, stdout, stderr } = await tenancy('tenant', 'migrate', '--all', '--force-verify');
  expect(exitCode).toBe(0);
  expect(stdout + stderr).toContain('2 tenants up to date');
});

test('a tenant goes with all that the tool has made', async () => {
  for (const id of [acme, globex]) {
    const { exitCode, stderr } = await tenancy('tenant', 'deprovision', id, '--confirm', id, '--skip-backup');
    expect(exitCode, stderr).toBe(0);
    expect(await home(id).listCollections().toArray()).toEqual([]);
  }
});
