import type { ClientSession, Filter } from 'mongodb';
import { shardKeyOf } from '../../util/shard.js';
import { clashError, distinctTenants } from '../clashes.js';
import type { NewTenant, Registry } from '../registry.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { TenantDocument } from './documents.js';
import { recordEvents } from './events.js';
import { toStored } from './stored.js';
import { reverseId, toLabels, toTenant } from './tenant-document.js';
import { tick } from './tick.js';

export function createTenantRegister(db: RegistryConnection): Pick<Registry, 'registerTenants' | 'refuseClashes'> {
  return {
    registerTenants: async (tenants) => {
      const wanted = distinctTenants(tenants);
      const registered = await db.transact((session) => register(db, session, wanted));
      return tenants.map(({ id, operation }) => {
        const document = registered.documents.get(id);
        if (document === undefined) throw new Error(`the registry gave no answer for ${id}`);
        return { tenant: toTenant(document, registered.now), isNew: document.homeOperationId === operation.id };
      });
    },
    refuseClashes: async (tenants) => {
      const wanted = distinctTenants(tenants);
      refuseClash(wanted, await db.send(() => readNeighbours(db, wanted)));
    },
  };
}

/** Those that are there and aren't deprovisioned stay as they are. The unique indexes decide every race: the loser reads again, and is refused here. */
async function register(db: RegistryConnection, session: ClientSession, wanted: readonly NewTenant[]) {
  const neighbours = await readNeighbours(db, wanted, session);
  refuseClash(wanted, neighbours);
  const documents = new Map(neighbours.map((neighbour) => [neighbour._id, neighbour]));
  const missing = wanted.filter(({ id }) => !isAlive(documents.get(id)));
  const ticked = await tick(db, missing.length);
  const written = missing.map((tenant, index) => {
    const before = documents.get(tenant.id);
    return toDocument(tenant, { before, now: ticked.now, number: ticked.first + index });
  });
  if (written.length > 0) {
    const replacements = written.map((document) => ({
      replaceOne: { filter: { _id: document._id }, replacement: document, upsert: true },
    }));
    await db.collections.tenants.bulkWrite(replacements, { session });
    const events = written.map(({ _id, incarnation, cluster, driver, name, operation }) => ({
      tenant: _id,
      type: 'tenant.registered',
      data: { incarnation, cluster, driver, name, operation },
    }));
    await recordEvents(db, session, ticked, events);
  }
  for (const document of written) documents.set(document._id, document);
  return { documents, now: ticked.now };
}

/** Everybody who has one of these ids, in any case, or one of these homes. */
function readNeighbours({ collections }: RegistryConnection, wanted: readonly NewTenant[], session?: ClientSession) {
  const clusters = groupByCluster(wanted);
  const homes = [...clusters].map(([cluster, tenants]): Filter<TenantDocument> => {
    return { isHome: true, cluster, nameLower: { $in: tenants.map(({ name }) => name.toLowerCase()) } };
  });
  const ids: Filter<TenantDocument> = { idLower: { $in: wanted.map(({ id }) => id.toLowerCase()) } };
  return collections.tenants.find({ $or: [ids, ...homes] }, { ...IN_ONE_BATCH, ...(session === undefined ? {} : { session }) }).toArray();
}

function groupByCluster(wanted: readonly NewTenant[]): Map<string, NewTenant[]> {
  const clusters = new Map<string, NewTenant[]>();
  for (const tenant of wanted) clusters.set(tenant.cluster, [...(clusters.get(tenant.cluster) ?? []), tenant]);
  return clusters;
}

function isAlive(document: TenantDocument | undefined): boolean {
  return document !== undefined && document.status !== 'deprovisioned';
}

/** A later life of an id goes on counting fences, and its lease stays whose it is. */
function toDocument(
  tenant: NewTenant,
  { before, now, number }: { readonly before: TenantDocument | undefined; readonly now: Date; readonly number: number },
): TenantDocument {
  return {
    _id: tenant.id,
    idLower: tenant.id.toLowerCase(),
    idReversed: reverseId(tenant.id),
    shardKey: shardKeyOf(tenant.id),
    incarnation: (before?.incarnation ?? 0) + 1,
    status: 'pending',
    cluster: tenant.cluster,
    driver: tenant.driver,
    name: tenant.name,
    nameLower: tenant.name.toLowerCase(),
    isHome: true,
    labels: toLabels(tenant.labels),
    isProtected: false,
    schemaVersion: null,
    migrationsHash: null,
    credentialRef: tenant.credentialRef ?? null,
    login: null,
    lastError: null,
    hasError: false,
    operation: toStored(tenant.operation),
    homeOperationId: tenant.operation.id,
    createdAt: now,
    updatedAt: now,
    activatedAt: null,
    deprovisionedAt: null,
    retainedUntil: null,
    // Greater than any fence that an id of this name had before it was forgotten.
    fence: before?.fence ?? number,
    lease: before?.lease ?? null,
  };
}

function refuseClash(wanted: readonly NewTenant[], neighbours: readonly TenantDocument[]): void {
  const known = new Map(neighbours.map((neighbour) => [neighbour._id, neighbour]));
  const byId = new Map(neighbours.map((neighbour) => [neighbour.idLower, neighbour._id]));
  const byHome = new Map(
    neighbours.filter(({ isHome }) => isHome).map((each) => [JSON.stringify([each.cluster, each.nameLower]), each._id]),
  );
  const missing = wanted.filter(({ id }) => !isAlive(known.get(id))).sort((a, b) => (a.id < b.id ? -1 : 1));
  for (const { id, cluster, name } of missing) {
    const takenBy = byId.get(id.toLowerCase());
    if (takenBy !== undefined && takenBy !== id) throw clashError({ isOfId: true, id, takenBy, cluster, name });
  }
  for (const { id, cluster, name } of missing) {
    const takenBy = byHome.get(JSON.stringify([cluster, name.toLowerCase()]));
    if (takenBy !== undefined && takenBy !== id) throw clashError({ isOfId: false, id, takenBy, cluster, name });
  }
}
