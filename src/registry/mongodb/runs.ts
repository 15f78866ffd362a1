import type { ClientSession } from 'mongodb';
import type { RunCommand } from '../../events.js';
import { HashesDigest } from '../../util/hash-chain.js';
import type { NewRun, Registry, Run } from '../registry.js';
import { deriveRunStatus } from '../rows.js';
import type { RegistryConnection } from './connection.js';
import type { RunDocument } from './documents.js';
import { readSettledHashes, recordEvents } from './events.js';
import { fromStored, toStored } from './stored.js';
import { WITH_TIME } from './tenant-document.js';
import { tick } from './tick.js';

/** Until the first heartbeat says more: the length of a lease. */
const FIRST_BREATH_MS = 15_000;

interface ReadRun extends RunDocument {
  readonly now: Date;
}

export function createRunBook(db: RegistryConnection): Pick<Registry, 'createRun' | 'finishRun' | 'findRun' | 'listRuns'> {
  const { runs } = db.collections;
  return {
    createRun: (run) => db.transact((session) => create(db, session, run)),
    finishRun: (id, end) => db.transact((session) => finish(db, session, id, end)),
    findRun: async (id) => {
      const [found] = await db.send(() => runs.aggregate<ReadRun>([{ $match: { _id: id } }, WITH_TIME]).toArray());
      return found === undefined ? null : toRun(found);
    },
    listRuns: async ({ before, limit, command }) => {
      const newest = before === null ? undefined : await db.send(() => runs.findOne({ _id: before }));
      if (newest === null) return [];
      const older = newest === undefined ? {} : { sequence: { $lt: newest.sequence } };
      const ofCommand = command === undefined ? {} : { command };
      const stages = [{ $match: { ...older, ...ofCommand } }, { $sort: { sequence: -1 } }, { $limit: limit }, WITH_TIME];
      return (await db.send(() => runs.aggregate<ReadRun>(stages).toArray())).map(toRun);
    },
  };
}

function toRun(document: ReadRun): Run {
  const {
    _id: id,
    command,
    owner,
    host,
    target,
    options,
    selected,
    counts,
    notStarted,
    exitCode,
    stopped,
    startedAt,
    finishedAt,
  } = document;
  // One that a former version of ours wrote has nothing of these.
  const { control = 'go-on', controlBy = null, pausedAt = null, endReason = null } = document as Partial<ReadRun>;
  const hasDied = document.aliveUntil < document.now;
  const status = deriveRunStatus({ status: document.status, hasDied, isHolding: pausedAt !== null, endReason });
  return {
    id,
    command: command as RunCommand,
    owner,
    host,
    target,
    options: fromStored(options),
    selected,
    status,
    control,
    controlBy,
    pausedAt,
    endReason,
    counts,
    notStarted,
    exitCode,
    stopped: document.status === 'running' ? null : (stopped ?? null),
    startedAt,
    finishedAt,
  };
}

/** A run that is there stays as it is. */
async function create(db: RegistryConnection, session: ClientSession, run: NewRun): Promise<void> {
  const { runs } = db.collections;
  if ((await runs.findOne({ _id: run.id }, { session })) !== null) return;
  const ticked = await tick(db, 2);
  const { id, command, owner, host, target, options, selected } = run;
  await runs.insertOne(
    {
      _id: id,
      sequence: ticked.first,
      command,
      owner,
      host,
      target,
      options: toStored(options),
      selected,
      status: 'running',
      counts: null,
      notStarted: null,
      exitCode: null,
      stopped: null,
      startedAt: ticked.now,
      aliveUntil: new Date(ticked.now.getTime() + FIRST_BREATH_MS),
      finishedAt: null,
      control: 'go-on',
      controlBy: null,
      pausedAt: null,
      endReason: null,
    },
    { session },
  );
  const event = { runId: id, type: 'run.started', data: { command, host, selected, target } };
  await recordEvents(db, session, { ...ticked, first: ticked.first + 1 }, [event]);
}

/** The first end that is told stays. */
async function finish(
  db: RegistryConnection,
  session: ClientSession,
  id: string,
  { status, counts, exitCode, notStarted, owner, reason = null, stopped = null }: Parameters<Registry['finishRun']>[1],
): Promise<void> {
  const { runs } = db.collections;
  const ours = { _id: id, status: 'running', ...(owner === undefined ? {} : { owner }) };
  if ((await runs.findOne(ours, { session })) === null) return;
  const ticked = await tick(db, 1);
  const end = { status, counts, notStarted, exitCode, stopped, finishedAt: ticked.now, endReason: reason, pausedAt: null };
  await runs.updateOne({ _id: id }, { $set: end }, { session });
  // The heads of the chains that the run has added to, as one digest: whoever cuts off a tenant's newest events has to change what the run told as
  // well. What a process told that had lost its lease is left out, since it may come after the end.
  const digest = new HashesDigest();
  for await (const { hash } of readSettledHashes(db, session, id)) digest.add(hash);
  const data = { status, exitCode, counts, ...(reason === null ? {} : { reason }), heads: digest.finish() };
  await recordEvents(db, session, ticked, [{ runId: id, type: 'run.finished', data }]);
}
