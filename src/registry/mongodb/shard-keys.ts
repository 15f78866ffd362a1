import type { Filter } from 'mongodb';
import { isInShard, type Shard, shardKeyOf } from '../../util/shard.js';
import { IN_ONE_BATCH, type RegistryCollections } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { TenantDocument } from './documents.js';

const BATCH = 1_000;

/** Null finds what is missing too, and an index answers it. */
const WITHOUT_KEY: Filter<TenantDocument> = { shardKey: null };

/** Gives every tenant that has none its key, a batch at a time; bears being broken off and begun again. */
export async function fillShardKeys({ collections, send }: RegistryConnection): Promise<void> {
  for (;;) {
    const found = await send(() => readWithoutKey(collections, BATCH));
    if (found.length === 0) return;
    const updates = found.map((id) => ({ updateOne: { filter: { _id: id }, update: { $set: { shardKey: shardKeyOf(id) } } } }));
    await send(() => collections.tenants.bulkWrite(updates, { ordered: false, writeConcern: { w: 'majority' } }));
  }
}

/**
 * The condition of a shard. Somebody who still runs the version before this one registers tenants without a key: those are reckoned
 * here, since whoever reads may have no right to write.
 */
export async function matchShard(collections: RegistryCollections, shard: Shard): Promise<Filter<TenantDocument>> {
  const byKey: Filter<TenantDocument> = { shardKey: { $mod: [shard.of, shard.index - 1] } };
  const here = (await readWithoutKey(collections)).filter((id) => isInShard(id, shard));
  return here.length === 0 ? byKey : { $or: [byKey, { _id: { $in: here } }] };
}

async function readWithoutKey({ tenants }: RegistryCollections, limit = 0): Promise<readonly string[]> {
  const found = await tenants.find(WITHOUT_KEY, { ...IN_ONE_BATCH, limit, projection: { _id: 1 } }).toArray();
  return found.map(({ _id }) => _id);
}
