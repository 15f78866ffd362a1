import type { ClientSession } from 'mongodb';
import type { LeaseGrant, LeaseRequest, Registry } from '../registry.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import { recordEvents } from './events.js';
import { type ReadTenant, toTenant, WITH_TIME } from './tenant-document.js';
import { tick } from './tick.js';

/** A transaction that is in the way ends in milliseconds, or has been abandoned. */
const BUSY_AFTER_MS = 1_500;

/** Each attempt loses only to a competitor that has come through, and each tenant has few of those. */
const ATTEMPTS = 10;

/**
 * Leases are part of their tenants' documents, and expire by the server's clock, so that nobody has to unlock by hand. They are taken, renewed
 * and given back outside of transactions: each for itself, as it is meant, and whoever meets another's write waits for it rather than being
 * sent back to the beginning. What was carried out and not heard of is carried out again to the same end.
 */
export function createLeaseKeeper(
  db: RegistryConnection,
): Pick<Registry, 'acquireLeases' | 'renewLeases' | 'releaseLeases' | 'breakLease'> {
  const { collections, send } = db;
  return {
    acquireLeases: async (ids, request) => {
      const distinct = [...new Set(ids)];
      const grants = distinct.length === 0 ? new Map<string, LeaseGrant>() : await acquire(db, distinct, request);
      return distinct.sort(bytewise).map((id) => grants.get(id) ?? { id, status: 'missing' });
    },
    renewLeases: async (owner, ttlMs) => {
      const extended = { $add: ['$$NOW', ttlMs] };
      const renew = async (): Promise<string[]> => {
        await collections.tenants.updateMany({ 'lease.owner': owner }, [{ $set: { 'lease.expiresAt': extended } }], {
          maxTimeMS: BUSY_AFTER_MS,
        });
        const held = collections.tenants.find({ 'lease.owner': owner }, IN_ONE_BATCH).sort({ _id: 1 }).project<{ _id: string }>({ _id: 1 });
        return (await held.toArray()).map(({ _id }) => _id);
      };
      const [held] = await Promise.all([
        send(renew),
        send(() =>
          collections.runs.updateMany({ owner, status: 'running' }, [{ $set: { aliveUntil: extended } }], { maxTimeMS: BUSY_AFTER_MS }),
        ),
      ]);
      return held;
    },
    releaseLeases: async (owner, ids) => {
      const held = { _id: { $in: ids }, 'lease.owner': owner };
      await send(() => collections.tenants.updateMany(held, { $set: { lease: null } }, { maxTimeMS: BUSY_AFTER_MS }));
    },
    breakLease: (id) => db.transact((session) => breakLease(db, session, id)),
  };
}

async function acquire(db: RegistryConnection, ids: readonly string[], request: LeaseRequest): Promise<Map<string, LeaseGrant>> {
  const grants = new Map<string, LeaseGrant>();
  let wanted = ids;
  for (let attempt = 1; wanted.length > 0; attempt++) {
    for (const grant of await db.send(() => tryAcquire(db, wanted, request, attempt === ATTEMPTS))) grants.set(grant.id, grant);
    wanted = ids.filter((id) => !grants.has(id));
  }
  return grants;
}

/**
 * Three round trips: numbers, one write, one look. Nobody is granted a fence below one that was granted before. The answer lacks those
 * that were given back, or expired, between the write and the look, unless this is the last attempt.
 */
async function tryAcquire(
  db: RegistryConnection,
  ids: readonly string[],
  { owner, host, ttlMs }: LeaseRequest,
  isLast: boolean,
): Promise<LeaseGrant[]> {
  const { tenants } = db.collections;
  const { first } = await tick(db, ids.length);
  const lease = { owner: { $literal: owner }, host: { $literal: host }, since: '$$NOW', expiresAt: { $add: ['$$NOW', ttlMs] } };
  const isFree = [{ lease: null }, { 'lease.owner': owner }, { $expr: { $lte: ['$lease.expiresAt', '$$NOW'] } }];
  const grants = ids.map((id, index) => ({
    updateOne: { filter: { _id: id, fence: { $lt: first + index }, $or: isFree }, update: [{ $set: { fence: first + index, lease } }] },
  }));
  await tenants.bulkWrite(grants, { ordered: false, maxTimeMS: BUSY_AFTER_MS });
  const found = await tenants.aggregate<ReadTenant>([{ $match: { _id: { $in: ids } } }, WITH_TIME], IN_ONE_BATCH).toArray();
  const known = new Map(found.map((tenant) => [tenant._id, tenant]));
  return ids.flatMap((id, index) => toGrant(id, known.get(id), { owner, fence: first + index, isLast }) ?? []);
}

function toGrant(
  id: string,
  document: ReadTenant | undefined,
  { owner, fence, isLast }: { readonly owner: string; readonly fence: number; readonly isLast: boolean },
): LeaseGrant | null {
  if (document === undefined) return { id, status: 'missing' };
  const { lease, now } = document;
  if (lease?.owner === owner && document.fence === fence) return { id, status: 'granted', fence, tenant: toTenant(document, now) };
  const isHeld = lease !== null && lease.owner !== owner && lease.expiresAt > now;
  if (!isHeld && !isLast) return null;
  const expiresInMs = Math.max(0, (lease?.expiresAt.getTime() ?? 0) - now.getTime());
  return { id, status: 'held', owner: lease?.owner ?? '', host: lease?.host ?? '', since: lease?.since ?? now, expiresInMs };
}

/** With a new fence, so that whoever held it writes nothing more. */
async function breakLease(db: RegistryConnection, session: ClientSession, id: string): ReturnType<Registry['breakLease']> {
  const { tenants } = db.collections;
  const tenant = await tenants.findOne({ _id: id }, { session });
  if (tenant === null || tenant.lease === null) return null;
  const { owner, host, since } = tenant.lease;
  const ticked = await tick(db, 2);
  await tenants.updateOne({ _id: id }, { $set: { fence: ticked.first, lease: null } }, { session });
  const event = { tenant: id, type: 'lease.broken', data: { owner, host, since: since.getTime() } };
  await recordEvents(db, session, { ...ticked, first: ticked.first + 1 }, [event]);
  return { owner, host, since };
}

function bytewise(a: string, b: string): number {
  return a < b ? -1 : 1;
}
