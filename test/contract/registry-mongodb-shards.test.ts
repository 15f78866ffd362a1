import { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import type { Registry } from '../../src/registry/registry.js';
import { isInShard, shardKeyOf } from '../../src/util/shard.js';
import { createMongodbSubject } from './registry-mongodb-rig.js';
import { newTenant } from './registry-rig.js';

interface StoredTenant {
  readonly _id: string;
  readonly shardKey?: number;
}

const SHARDS = [1, 2, 3].map((index) => ({ index, of: 3 }));
const list = async (registry: Registry, index: number): Promise<readonly string[]> =>
  (await registry.listTenants({ shard: { index, of: 3 } }, { after: null, limit: 5_000 })).map(({ id }) => id);

test('a registry of a version without shard keys is given them, also where that was broken off', async (scope) => {
  const { url, database, applicationName, drop } = await createMongodbSubject();
  scope.onTestFinished(drop);
  const client = new MongoClient(url, { appName: 'rig' });
  scope.onTestFinished(() => client.close());
  const tenants = client.db(database).collection<StoredTenant>('tenancy.tenants');
  const ids = Array.from({ length: 2_500 }, (_, index) => `tenant-${index}`);
  const first = await openRegistry({ url, create: true, applicationName });
  for (let from = 0; from < ids.length; from += 500) await first.registerTenants(ids.slice(from, from + 500).map((id) => newTenant(id)));
  await first.close();
  // What the version before left, of which a thousand were filled before somebody was killed.
  await tenants.updateMany({ _id: { $nin: ids.slice(0, 1_000) } }, { $unset: { shardKey: '' } });
  await tenants.dropIndex('tenants_shard_key');
  await client
    .db(database)
    .collection('tenancy.registry_migrations')
    .deleteOne({ _id: 3 as never });
  await client
    .db(database)
    .collection('tenancy.registry')
    .updateOne({}, { $set: { version: 2 } });

  const registry = await openRegistry({ url, create: false, applicationName });
  scope.onTestFinished(() => registry.close());
  const stored = await tenants.find().toArray();
  expect(stored.filter(({ _id, shardKey }) => shardKey !== shardKeyOf(_id))).toEqual([]);
  expect((await tenants.indexes()).map(({ name }) => name)).toContain('tenants_shard_key');
  for (const shard of SHARDS) expect(await list(registry, shard.index)).toEqual(ids.filter((id) => isInShard(id, shard)).sort());
});

test('a tenant that a process of the version before registers meanwhile is in its shard, and reading writes nothing', async (scope) => {
  const { url, database, applicationName, drop } = await createMongodbSubject();
  scope.onTestFinished(drop);
  const client = new MongoClient(url, { appName: 'rig' });
  scope.onTestFinished(() => client.close());
  const tenants = client.db(database).collection<StoredTenant>('tenancy.tenants');
  const registry = await openRegistry({ url, create: true, applicationName });
  scope.onTestFinished(() => registry.close());
  const ids = Array.from({ length: 40 }, (_, index) => `tenant-${index}`);
  await registry.registerTenants(ids.map((id) => newTenant(id)));
  await tenants.updateMany({ _id: { $in: ids.slice(0, 20) } }, { $unset: { shardKey: '' } });
  for (const shard of SHARDS) {
    const expected = ids.filter((id) => isInShard(id, shard)).sort();
    expect(await list(registry, shard.index)).toEqual(expected);
    expect(await registry.countTenants({ shard })).toBe(expected.length);
    expect((await registry.summarize({ shard }))[0]?.tenants).toBe(expected.length);
  }
  expect(await tenants.countDocuments({ shardKey: { $exists: false } })).toBe(20);
});
