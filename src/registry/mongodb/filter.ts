import type { Document, Filter } from 'mongodb';
import type { TenantStatus } from '../../tenant.js';
import { statusesOutOfUse } from '../out-of-use.js';
import type { TenantFilter } from '../registry.js';
import { IN_ONE_BATCH, PREFIX, type RegistryCollections } from './collections.js';
import type { TenantDocument } from './documents.js';
import { matchShard } from './shard-keys.js';
import { toLabels } from './tenant-document.js';

/** The condition of a filter, save for `ofRun`. */
async function matchTenants(
  collections: RegistryCollections,
  filter: TenantFilter,
  after: string | null = null,
): Promise<Filter<TenantDocument>> {
  const conditions: Filter<TenantDocument>[] = [];
  if (filter.shard !== undefined) conditions.push(await matchShard(collections, filter.shard));
  if (filter.ids !== undefined) conditions.push({ _id: { $in: filter.ids } });
  if (filter.exclude !== undefined) conditions.push({ _id: { $nin: filter.exclude } });
  if (after !== null) conditions.push({ _id: { $gt: after } });
  if (filter.statuses !== undefined) conditions.push({ status: { $in: filter.statuses } });
  if (filter.clusters !== undefined) conditions.push({ cluster: { $in: filter.clusters } });
  const labels = toLabels(filter.labels ?? {});
  // None means all of them here; `$all` would take it for none.
  if (labels.length > 0) conditions.push({ labels: { $all: labels } });
  if (filter.notAt !== undefined) conditions.push(isNotAt(filter.notAt, statusesOutOfUse(filter)));
  // An empty $or is an error.
  if (filter.at !== undefined)
    conditions.push(filter.at.length === 0 ? { _id: { $in: [] } } : { $or: filter.at.map((each) => ({ ...each })) });
  if (filter.hasError !== undefined) conditions.push({ hasError: filter.hasError });
  return conditions.length === 0 ? {} : { $and: conditions };
}

/**
 * Written as ranges, each of which an index can answer (`$ne` reads all of it), so that asking a fleet that is up to date
 * costs the same whatever its size. A range is of strings only: null is a case of its own.
 */
function isNotAt(
  { schemaVersion, migrationsHash }: NonNullable<TenantFilter['notAt']>,
  outOfUse: readonly TenantStatus[],
): Filter<TenantDocument> {
  const versions: Filter<TenantDocument>[] =
    schemaVersion === null
      ? [{ schemaVersion: { $type: 'string' } }]
      : [{ schemaVersion: null }, { schemaVersion: { $lt: schemaVersion } }, { schemaVersion: { $gt: schemaVersion } }];
  return {
    $or: [
      { hasError: true },
      ...(outOfUse.length > 0 ? [{ status: { $in: outOfUse } }] : []),
      { migrationsHash: null },
      { migrationsHash: { $lt: migrationsHash } },
      { migrationsHash: { $gt: migrationsHash } },
      ...versions.map((version) => ({ migrationsHash, ...version })),
    ],
  };
}

/** Reads what a filter selects, in the order of ids where `isSorted`, and then what `stages` make of it. */
export async function readTenants<T extends Document>(
  collections: RegistryCollections,
  filter: TenantFilter,
  { after = null, isSorted = false, stages }: { after?: string | null; isSorted?: boolean; stages: readonly Document[] },
): Promise<T[]> {
  const { tenants, runTenants } = collections;
  const matched = { $match: await matchTenants(collections, filter, after) };
  if (filter.ofRun === undefined) {
    return tenants.aggregate<T>([matched, ...(isSorted ? [{ $sort: { _id: 1 } }] : []), ...stages], IN_ONE_BATCH).toArray();
  }
  // From the run's own tenants, of which there are mostly few.
  const { runId, outcomes } = filter.ofRun;
  return runTenants
    .aggregate<T>(
      [
        { $match: { runId: { $in: [runId].flat() }, outcome: { $in: outcomes }, ...(after === null ? {} : { tenant: { $gt: after } }) } },
        // One that is in several of the runs is one tenant.
        { $group: { _id: '$tenant' } },
        ...(isSorted ? [{ $sort: { _id: 1 } }] : []),
        { $lookup: { from: `${PREFIX}tenants`, localField: '_id', foreignField: '_id', as: 'found' } },
        { $unwind: '$found' },
        { $replaceRoot: { newRoot: '$found' } },
        matched,
        ...stages,
      ],
      IN_ONE_BATCH,
    )
    .toArray();
}
