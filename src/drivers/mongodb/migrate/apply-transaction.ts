import { TenancyError } from '../../../errors.js';
import { elapsedMs, monotonicMs } from '../../../util/clock.js';
import { commitTransaction } from '../../../util/mongodb-commit.js';
import { hasLabel, isConnectionError } from '../classify.js';
import { endAbandoned, type HomeDocument } from '../home.js';
import type { RecordStep, StepDone } from './apply-alone.js';
import type { MigrateContext } from './context.js';
import { moduleFailure } from './failure.js';
import { changeHome } from './history.js';
import { type ModuleStep, runModule, type Told } from './run-module.js';

const COMMIT_ATTEMPTS = 5;

/**
 * Runs a module inside of a transaction, together with the check of the fence and the history: all of it is done or nothing. What meets
 * others on the way (`TransientTransactionError`) is thrown as it is, and tried again from the beginning by the fleet.
 */
export async function applyInTransaction(
  migrate: MigrateContext,
  step: ModuleStep,
  record: RecordStep,
  told: Told,
  before: HomeDocument,
): Promise<StepDone> {
  const { session } = migrate;
  const { tenant } = told;
  const failed = (thrown: unknown): unknown => moduleFailure(migrate, { tenant, migration: step.name, file: step.script.file, thrown });
  await refuseStandalone(migrate, failed);
  const startedMs = monotonicMs();
  const id = session.id?.id;
  const begun = await changeHome(migrate, { tenant, home: before, change: { transaction: id === undefined ? null : { id } } });
  session.startTransaction({ writeConcern: { w: 'majority' } });
  try {
    // First, so that whoever else writes our document waits for this one, or ends it.
    const guarded = await changeHome(migrate, { tenant, home: begun, change: {}, session });
    try {
      await runModule(migrate, step, told);
    } catch (thrown) {
      const isTransient = hasLabel(thrown, 'TransientTransactionError') && migrate.scope.expired === null;
      throw isTransient ? thrown : failed(thrown);
    }
    refuseEscape(migrate, step, failed);
    const durationMs = elapsedMs(startedMs);
    const home = await changeHome(migrate, {
      tenant,
      home: guarded,
      change: { ...record(durationMs), progress: null, transaction: null },
      session,
    });
    await commit(migrate);
    return { home, durationMs };
  } catch (error) {
    if (session.inTransaction()) await session.abortTransaction().catch(() => undefined);
    // Out of reach it may still be open there, and would hold our document for a minute.
    if (isConnectionError(error)) await endAbandoned(migrate.context, begun).catch(() => undefined);
    // Where that can't be written, the next owner ends a transaction that isn't there.
    await changeHome(migrate, { tenant, home: begun, change: { transaction: null } }).catch(() => undefined);
    throw error;
  }
}

/** Whether it was committed isn't known after a lost connection; to commit once more is safe, and tells. */
async function commit({ session }: MigrateContext): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await commitTransaction(session);
      return;
    } catch (error) {
      if (tries >= COMMIT_ATTEMPTS || !isOutcomeUnknown(error)) throw error;
    }
  }
}

function isOutcomeUnknown(error: unknown): boolean {
  if (hasLabel(error, 'TransientTransactionError')) return false;
  return hasLabel(error, 'UnknownTransactionCommitResult') || isConnectionError(error);
}

async function refuseStandalone({ context }: MigrateContext, failed: (thrown: unknown) => unknown): Promise<void> {
  const hello = await context.client.db('admin').command({ hello: 1 });
  if (typeof hello['setName'] === 'string' || hello['msg'] === 'isdbgrid') return;
  throw failed(
    new Error('it asks for a transaction, and a standalone server has none: make it a replica set of one, or leave `transaction` out'),
  );
}

/** Found when it is too late for this tenant, but at the first one. */
function refuseEscape({ scope, session }: MigrateContext, { script }: ModuleStep, failed: (thrown: unknown) => unknown): void {
  if (!session.inTransaction()) throw failed(new Error('it ended the transaction, which is not its own to end'));
  const [command] = scope.loneWrites;
  if (command === undefined) return;
  throw failed(
    new TenancyError('TENANCY_MIGRATION_MODULE_REJECTED', {
      file: script.file,
      reason: `it asks for a transaction, and sent ${scope.loneWrites.length === 1 ? 'one' : scope.loneWrites.length} of its writes (${command}) outside of it, which stays done`,
      advice: 'hand the session to every operation: `db.collection(…).insertOne(document, { session })`',
    }),
  );
}
