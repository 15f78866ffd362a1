import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MongoClient } from 'mongodb';
import { expect, onTestFinished, test } from 'vitest';
import { migrateMongo } from '../../hooks/index.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import { repositoryRoot } from '../rig/cli.js';
import { createTestMongo, mongoUrl } from '../rig/mongodb.js';

const config = `module.exports = {
  mongodb: { url: process.env.DATABASE_URL },
  migrationsDir: 'migrations',
  changelogCollectionName: 'changelog',
  migrationFileExtension: '.cjs',
  moduleSystem: 'commonjs',
};
`;

test('migrateMongo.command(), the program of migrate-mongo, migrates each tenant in its own database, and knows that it did', {
  timeout: 60_000,
}, async () => {
  const mongo = await createTestMongo();
  const root = await mkdtemp(path.join(tmpdir(), 'presets-'));
  const client = await new MongoClient(mongo.url).connect();
  onTestFinished(async () => {
    await client.close();
    await mongo.drop();
    await rm(root, { recursive: true, maxRetries: 5 });
  });
  await symlink(path.join(repositoryRoot, 'node_modules'), path.join(root, 'node_modules'), 'dir');
  await mkdir(path.join(root, 'migrations'));
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(root, file), text);
  await write('migrate-mongo-config.cjs', config);
  await write('migrations/20240115093000-notes.cjs', `exports.up = (db) => db.createCollection('notes');\n`);

  const open = (): Promise<Tenancy> =>
    createTenancy(
      {
        registry: { url: mongoUrl(mongo.url, `${mongo.namePrefix}_registry`) },
        clusters: { main: { url: mongo.url } },
        placement: { cluster: 'main', driver: 'mongodb-database', name: `${mongo.namePrefix}_{id}` },
        hooks: { migrate: migrateMongo.command({ config: './migrate-mongo-config.cjs', migrationFileExtension: '.cjs' }) },
        defaults: { retries: 0 },
      },
      { root },
    );
  const applied = async (id: string): Promise<unknown[]> => {
    const entries = await client.db(`${mongo.namePrefix}_${id}`).collection('changelog').find().sort({ fileName: 1 }).toArray();
    return entries.map(({ fileName }) => fileName);
  };

  const first = await open();
  const provisioned = await first.provision(['acme', 'globex']);
  expect(provisioned, JSON.stringify(provisioned.failed)).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
  expect(await first.migrate({ all: true }, { forceVerify: true })).toMatchObject({ counts: { 'up-to-date': 2 } });
  await first.close();
  for (const id of ['acme', 'globex']) expect(await applied(id)).toEqual(['20240115093000-notes.cjs']);

  await write('migrations/20240220110500-full.cjs', `exports.up = async () => { throw new Error('no room'); };\n`);
  const second = await open();
  const failed = await second.migrate({ ids: ['acme'] });
  await second.close();
  expect(failed).toMatchObject({ exitCode: 1, counts: { failed: 1 } });
  expect(failed.failed[0]?.error?.message).toContain('Could not migrate up 20240220110500-full.cjs: no room');
  expect(await applied('acme')).toEqual(['20240115093000-notes.cjs']);
});
