import type { ClientSession, Filter } from 'mongodb';
import { hashEvent, NO_HASH } from '../../util/hash-chain.js';
import { type AuditBook, type AuditEvent, type ChainedEvent, type ChainPosition, REGISTRY_CHAIN } from '../audit.js';
import { canonicalJson } from './canonical-json.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { EventDocument, RunTenantDocument } from './documents.js';
import { fromStored, toStored } from './stored.js';
import type { Tick } from './tick.js';

export type NewEvent = Pick<EventDocument, 'type'> & Partial<Pick<EventDocument, 'tenant' | 'runId' | 'data'>>;

/** Outcomes that a process told which had the lease. */
const SETTLED = { type: 'tenant.settled', 'data.isStale': { $exists: false } } as const;

export function createAuditBook({ collections, send }: RegistryConnection): AuditBook {
  const { events, heads, runTenants } = collections;
  return {
    listEvents: async (tenant, { after, limit, since = null }) => {
      const wanted: Filter<EventDocument> = { tenant, _id: { $gt: after }, ...(since === null ? {} : { at: { $gte: since } }) };
      const found = await send(() => events.find(wanted, IN_ONE_BATCH).sort({ _id: 1 }).limit(limit).toArray());
      return found.map(toEvent);
    },
    listNewestEvents: async (tenant, limit) => {
      const found = await send(() => events.find({ tenant }, IN_ONE_BATCH).sort({ _id: -1 }).limit(limit).toArray());
      return found.reverse().map(toEvent);
    },
    readChains: async ({ chain = null, after, limit }) => {
      const of: Filter<EventDocument>[] = chain === null ? [] : [{ tenant: toTenant(chain) }];
      const wanted = after === null ? of : [...of, isAfter(after)];
      const filter: Filter<EventDocument> = wanted.length === 0 ? {} : { $and: wanted };
      const found = await send(() => events.find(filter, IN_ONE_BATCH).sort({ tenant: 1, place: 1, _id: 1 }).limit(limit).toArray());
      return found.map(toChained);
    },
    readHeads: async ({ chain = null, after, limit }) => {
      const wanted = { _id: { ...(chain === null ? {} : { $eq: chain }), ...(after === null ? {} : { $gt: after }) } };
      const filter = Object.keys(wanted._id).length === 0 ? {} : wanted;
      const found = await send(() => heads.find(filter, IN_ONE_BATCH).sort({ _id: 1 }).limit(limit).toArray());
      return found.map(({ _id, place, hash }) => ({ chain: _id, place, hash }));
    },
    readRunHashes: async (runId, { before, after, limit }) => {
      const wanted: Filter<EventDocument> = { runId, ...SETTLED, hash: { $gt: after ?? '' }, _id: { $lt: before } };
      const found = await send(() =>
        events.find(wanted, IN_ONE_BATCH).sort({ hash: 1 }).limit(limit).project<{ hash: string }>({ hash: 1 }).toArray(),
      );
      return found.map(({ hash }) => hash);
    },
    listUntold: async (of, limit) => {
      const untold: { run: string; tenant: string }[] = [];
      const page = Math.max(limit, 500);
      for (let last: { runId: string; tenant: string } | null = null; untold.length < limit; ) {
        const beyond: Filter<RunTenantDocument> =
          last === null ? {} : 'runId' in of ? { tenant: { $gt: last.tenant } } : { runId: { $gt: last.runId } };
        const wanted: Filter<RunTenantDocument> = { $and: [of, { outcome: { $nin: ['not-started', 'skipped'] } }, beyond] };
        const outcomes: readonly RunTenantDocument[] = await send(() =>
          runTenants.find(wanted, IN_ONE_BATCH).sort({ tenant: 1, runId: 1 }).limit(page).toArray(),
        );
        for (const { runId, tenant } of outcomes) {
          const isTold = await send(() => events.findOne({ runId, type: 'tenant.settled', tenant }, { projection: { _id: 1 } }));
          if (isTold === null) untold.push({ run: runId, tenant });
        }
        if (outcomes.length < page) break;
        last = outcomes.at(-1) ?? null;
      }
      return untold.slice(0, limit);
    },
  };
}

/**
 * Numbers them from the tick's first, and chains each to the newest of its tenant: where another has added to the same chain since, the whole
 * transaction is run anew. The trail is only ever added to. No trigger holds others to that here; a role does, that has `find` and `insert` on
 * `tenancy.events`, and `readWrite`'s actions on each of the other collections.
 */
export async function recordEvents(
  { collections, actor, place: { user } }: RegistryConnection,
  session: ClientSession,
  { first, now }: Tick,
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const chains = [...new Set(events.map(({ tenant = null }) => toChain(tenant)))];
  const known = await collections.heads.find({ _id: { $in: chains } }, { ...IN_ONE_BATCH, session }).toArray();
  const heads = new Map(known.map(({ _id, place, hash }) => [_id, { place, hash }]));
  const documents = events.map(({ type, tenant = null, runId = null, data = {} }, index): EventDocument => {
    const chain = toChain(tenant);
    const head = heads.get(chain) ?? { place: 0, hash: NO_HASH };
    const event = { at: now, runId, tenant, type, data: toStored(data), actor: toStored(actor), login: user };
    const place = head.place + 1;
    const hash = hashEvent(place, fieldsOf(event), head.hash);
    heads.set(chain, { place, hash });
    return { _id: first + index, ...event, place, previous: head.hash, hash };
  });
  await collections.events.insertMany(documents, { session });
  const replacements = chains.map((chain) => ({
    replaceOne: { filter: { _id: chain }, replacement: heads.get(chain) ?? { place: 0, hash: NO_HASH }, upsert: true },
  }));
  await collections.heads.bulkWrite(replacements, { session });
}

/** The hashes of a run's outcomes, in their order, as the transaction sees them. */
export function readSettledHashes(
  { collections }: RegistryConnection,
  session: ClientSession,
  runId: string,
): AsyncIterable<{ readonly hash: string }> {
  return collections.events
    .find({ runId, ...SETTLED, hash: { $gt: '' } }, { ...IN_ONE_BATCH, session })
    .sort({ hash: 1 })
    .project<{ hash: string }>({ hash: 1 });
}

/** The lines between the place and the hash of the one before. */
export function fieldsOf({
  at,
  type,
  data,
  tenant,
  runId,
  actor = null,
  login = null,
}: Pick<EventDocument, 'at' | 'type' | 'data' | 'tenant' | 'runId' | 'actor' | 'login'>): readonly string[] {
  return [
    at.toISOString(),
    type,
    canonicalJson(data),
    tenant ?? '-',
    runId ?? '-',
    actor === null ? '-' : canonicalJson(actor),
    login ?? '-',
  ];
}

function toEvent(document: EventDocument): AuditEvent {
  const { _id: sequence, at, runId, tenant, type, data, place = 0, actor = null, login = null, hash = null } = document;
  return { sequence, place, at, runId, tenant, type, data: fromStored(data), actor: fromStored(actor), login, hash };
}

function toChained(document: EventDocument): ChainedEvent {
  const { _id: sequence, tenant, place = 0, type, runId, previous = null, hash = null } = document;
  return { chain: toChain(tenant), place, sequence, type, runId, fields: fieldsOf(document), previous, hash };
}

/** What has no place comes first in its chain, and what has no tenant before all that has one. */
function isAfter({ chain, place, sequence }: ChainPosition): Filter<EventDocument> {
  const tenant = toTenant(chain);
  const samePlace = place === 0 ? null : place;
  return {
    $or: [
      { tenant: tenant === null ? { $type: 'string' } : { $gt: tenant } },
      { tenant, place: { $gt: place } },
      { tenant, place: samePlace, _id: { $gt: sequence } },
    ],
  } as Filter<EventDocument>;
}

export function toChain(tenant: string | null): string {
  return tenant ?? REGISTRY_CHAIN;
}

function toTenant(chain: string): string | null {
  return chain === REGISTRY_CHAIN ? null : chain;
}
