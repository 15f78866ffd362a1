import type { ClientSession, Filter } from 'mongodb';
import type { Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import type { RunDocument } from './documents.js';
import { type NewEvent, recordEvents } from './events.js';
import { tick } from './tick.js';

/** Until the first heartbeat says more: the length of a lease. */
const FIRST_BREATH_MS = 15_000;

/** What is undone of the last end and the last request when a run is gone on with. */
const AFRESH = {
  status: 'running',
  control: 'go-on',
  controlBy: null,
  pausedAt: null,
  endReason: null,
  counts: null,
  notStarted: null,
  exitCode: null,
  finishedAt: null,
} as const;

export function createRunControl(db: RegistryConnection): Pick<Registry, 'controlRun' | 'hearRun' | 'takeOverRun'> {
  const { runs } = db.collections;
  return {
    controlRun: (id, { from, to, by }) =>
      db.transact(async (session) => {
        const matching: Filter<RunDocument> = {
          _id: id,
          status: 'running',
          control: { $in: from },
          $expr: { $gte: ['$aliveUntil', '$$NOW'] },
        };
        if ((await runs.findOne(matching, { session })) === null) return false;
        const event = { runId: id, type: 'run.asked', data: { control: to, by } };
        await change(db, session, id, () => ({ control: to, controlBy: by }), event);
        return true;
      }),
    hearRun: async (id, { owner, ttlMs, isHolding }) => {
      const pausedAt = isHolding ? { $ifNull: ['$pausedAt', '$$NOW'] } : null;
      const heard = await db.send(() =>
        runs.findOneAndUpdate({ _id: id, owner, status: 'running' }, [{ $set: { aliveUntil: { $add: ['$$NOW', ttlMs] }, pausedAt } }], {
          returnDocument: 'after',
        }),
      );
      return heard?.control ?? null;
    },
    takeOverRun: (id, { owner, host }) =>
      db.transact(async (session) => {
        // From before a lost answer.
        if ((await runs.findOne({ _id: id, owner, status: 'running' }, { session })) !== null) return true;
        const matching: Filter<RunDocument> = {
          _id: id,
          $or: [
            { status: 'running', $expr: { $lt: ['$aliveUntil', '$$NOW'] } },
            { status: 'interrupted', endReason: { $ne: 'cancelled' } },
          ],
        };
        if ((await runs.findOne(matching, { session })) === null) return false;
        const event = { runId: id, type: 'run.taken-over', data: { host } };
        await change(db, session, id, (now) => ({ ...AFRESH, owner, host, aliveUntil: new Date(now.getTime() + FIRST_BREATH_MS) }), event);
        return true;
      }),
  };
}

async function change(
  db: RegistryConnection,
  session: ClientSession,
  id: string,
  changed: (now: Date) => Partial<RunDocument>,
  event: NewEvent,
): Promise<void> {
  const ticked = await tick(db, 1);
  await db.collections.runs.updateOne({ _id: id }, { $set: changed(ticked.now) }, { session });
  await recordEvents(db, session, ticked, [event]);
}
