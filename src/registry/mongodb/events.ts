import type { ClientSession } from 'mongodb';
import type { Registry } from '../registry.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { EventDocument } from './documents.js';
import { fromStored, toStored } from './stored.js';
import type { Tick } from './tick.js';

export type NewEvent = Pick<EventDocument, 'type'> & Partial<Pick<EventDocument, 'tenant' | 'runId' | 'data'>>;

export function createEventReader({ collections, send }: RegistryConnection): Pick<Registry, 'listEvents'> {
  return {
    listEvents: async (tenant, { after, limit }) => {
      const events = await send(() =>
        collections.events
          .find({ tenant, _id: { $gt: after } }, IN_ONE_BATCH)
          .sort({ _id: 1 })
          .limit(limit)
          .toArray(),
      );
      return events.map(({ _id, at, runId, type, data, tenant: of }) => ({
        sequence: _id,
        at,
        runId,
        tenant: of,
        type,
        data: fromStored(data),
      }));
    },
  };
}

/**
 * Numbers them from the tick's first. The trail is only ever added to. No trigger holds others to that here; a role does, that has `find` and
 * `insert` on `tenancy.events`, and `readWrite`'s actions on each of the other collections.
 */
export async function recordEvents(
  { collections }: RegistryConnection,
  session: ClientSession,
  { first, now }: Tick,
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return;
  const documents = events.map(
    ({ type, tenant = null, runId = null, data = {} }, index): EventDocument => ({
      _id: first + index,
      at: now,
      runId,
      tenant,
      type,
      data: toStored(data),
    }),
  );
  await collections.events.insertMany(documents, { session });
}
