import type { ClientSession } from 'mongodb';
import type { Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { recordEvents } from './events.js';
import { tick } from './tick.js';

type Answer = Awaited<ReturnType<Registry['checkCluster']>>;

export function createClusterRegister(db: RegistryConnection): Pick<Registry, 'checkCluster'> {
  const { clusters } = db.collections;
  return {
    checkCluster: async (cluster, identity, { accept, dryRun = false }) => {
      const known = (await db.send(() => clusters.findOne({ _id: cluster })))?.identity ?? null;
      const answer = compare(known, identity, accept);
      if (dryRun || answer.status === 'same' || answer.status === 'different') return answer;
      return db.transact((session) => enter(db, session, { cluster, identity, accept }));
    },
  };
}

function compare(known: string | null, identity: string, accept: boolean): Answer {
  if (known === null) return { status: 'new' };
  if (known === identity) return { status: 'same' };
  return accept ? { status: 'accepted' } : { status: 'different', known };
}

/** Looks again: another process may have entered it since. */
async function enter(
  db: RegistryConnection,
  session: ClientSession,
  { cluster, identity, accept }: { readonly cluster: string; readonly identity: string; readonly accept: boolean },
): Promise<Answer> {
  const { clusters } = db.collections;
  const before = await clusters.findOne({ _id: cluster }, { session });
  const answer = compare(before?.identity ?? null, identity, accept);
  if (answer.status === 'same' || answer.status === 'different') return answer;
  const ticked = await tick(db, 1);
  const entry = { identity, createdAt: before?.createdAt ?? ticked.now, acceptedAt: ticked.now };
  await clusters.replaceOne({ _id: cluster }, entry, { session, upsert: true });
  const data = { cluster, identity, before: before?.identity ?? null };
  await recordEvents(db, session, ticked, [{ type: 'cluster.accepted', data }]);
  return answer;
}
