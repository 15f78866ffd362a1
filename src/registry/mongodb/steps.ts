import type { ClientSession } from 'mongodb';
import { redact } from '../../util/redact.js';
import { toKeepable } from '../keepable.js';
import type { NewStepRecord, Registry, StepRecord } from '../registry.js';
import { IN_ONE_BATCH } from './collections.js';
import type { RegistryConnection } from './connection.js';
import type { StepDocument } from './documents.js';
import { type Tick, tick } from './tick.js';

export function createStepJournal(db: RegistryConnection): Pick<Registry, 'readSteps' | 'recordSteps'> {
  return {
    readSteps: async (operationId) => {
      const steps = await db.send(() => db.collections.steps.find({ operationId }).sort({ sequence: 1 }).toArray());
      return steps.map((step) => ({
        operationId: step.operationId,
        tenant: step.tenant,
        step: step.step,
        state: step.state as StepRecord['state'],
        attempt: step.attempt,
        error: step.error,
        startedAt: step.startedAt,
        finishedAt: step.finishedAt,
      }));
    },
    recordSteps: async (steps) => {
      if (steps.length > 0) await db.transact((session) => record(db, session, steps));
    },
  };
}

/** What one writes whose lease has gone is left out: the journal is the new holder's. */
async function record(db: RegistryConnection, session: ClientSession, steps: readonly NewStepRecord[]): Promise<void> {
  const { collections } = db;
  const fences = await readFences(db, session, steps);
  const current = steps.filter(({ tenant, fence }) => fence === undefined || fences.get(tenant) === fence);
  if (current.length === 0) return;
  const keys = [...new Map(current.map((step) => [keyOf(step), { operationId: step.operationId, step: step.step }])).values()];
  const operationIds = [...new Set(keys.map(({ operationId }) => operationId))];
  const found = await collections.steps
    .find({ operationId: { $in: operationIds } }, { ...IN_ONE_BATCH, session })
    .project<StepDocument>({ _id: 0 })
    .toArray();
  const ticked = await tick(db, keys.length);
  const documents = foldSteps(current, new Map(found.map((step) => [keyOf(step), step])), ticked);
  await collections.steps.bulkWrite(
    documents.map((document) => ({
      replaceOne: { filter: { operationId: document.operationId, step: document.step }, replacement: document, upsert: true },
    })),
    { session },
  );
}

async function readFences(
  { collections }: RegistryConnection,
  session: ClientSession,
  steps: readonly NewStepRecord[],
): Promise<ReadonlyMap<string, number>> {
  const ids = [...new Set(steps.flatMap(({ tenant, fence }) => (fence === undefined ? [] : [tenant])))];
  if (ids.length === 0) return new Map();
  const found = collections.tenants
    .find({ _id: { $in: ids } }, { ...IN_ONE_BATCH, session })
    .project<{ _id: string; fence: number }>({ fence: 1 });
  return new Map((await found.toArray()).map(({ _id, fence }) => [_id, fence]));
}

/**
 * A batch may say of one step that it started and that it is done. An attempt is counted when it starts; a step that was only ever reported
 * as over has had one.
 */
function foldSteps(
  steps: readonly NewStepRecord[],
  known: ReadonlyMap<string, StepDocument>,
  { first, now }: Tick,
): readonly StepDocument[] {
  const folded = new Map<string, StepDocument>();
  for (const each of steps) {
    const key = keyOf(each);
    const before = folded.get(key) ?? known.get(key);
    const isNewAttempt = before === undefined || each.state === 'started' || before.state !== 'started';
    folded.set(key, {
      operationId: each.operationId,
      step: each.step,
      tenant: each.tenant,
      operation: each.operation,
      state: each.state,
      attempt: (before?.attempt ?? 0) + (isNewAttempt ? 1 : 0),
      error: each.error === null ? null : toKeepable(redact(each.error)),
      startedAt: isNewAttempt ? now : before.startedAt,
      finishedAt: each.state === 'started' ? null : now,
      sequence: before?.sequence ?? first + folded.size,
    });
  }
  return [...folded.values()];
}

function keyOf({ operationId, step }: Pick<StepRecord, 'operationId' | 'step'>): string {
  return JSON.stringify([operationId, step]);
}
