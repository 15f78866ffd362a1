import { isTenancyError } from '../../../errors.js';
import { elapsedMs, monotonicMs } from '../../../util/clock.js';
import { isConnectionError } from '../classify.js';
import type { HomeDocument, StoredProgress } from '../home.js';
import type { MigrateContext } from './context.js';
import { moduleFailure } from './failure.js';
import { changeHome, type HomeChange } from './history.js';
import { type ModuleStep, runModule, type Told } from './run-module.js';

/** The change of the history that goes with a step, once it is done. */
export type RecordStep = (durationMs: number) => HomeChange;

export interface StepDone {
  /** As it is with the step in it. */
  readonly home: HomeDocument;
  readonly durationMs: number;
}

/**
 * Runs a module without a transaction, which is what migrations on MongoDB mostly are:
 * ```
 * started ──→ up() ──→ recorded
 *               └─ threw → not applied: run again by the next attempt, as migrate-mongo does
 * after a crash: started → unknown, unless the module says that it is `rerunnable`
 * ```
 * A process that stands still while the module runs, and wakes after another has taken over, can't be kept from what the module still
 * sends; it is kept from recording it.
 */
export async function applyAlone(
  migrate: MigrateContext,
  step: ModuleStep,
  record: RecordStep,
  told: Told,
  before: HomeDocument,
): Promise<StepDone> {
  const { tenant } = told;
  const home = await changeHome(migrate, { tenant, home: before, change: { progress: progressOf(step, 'started') } });
  const startedMs = monotonicMs();
  try {
    await runModule(migrate, step, told);
  } catch (thrown) {
    await saveNotDone(migrate, step, tenant, home, thrown, before.progress);
    throw moduleFailure(migrate, { tenant, migration: step.name, file: step.script.file, thrown });
  }
  const durationMs = elapsedMs(startedMs);
  return { home: await changeHome(migrate, { tenant, home, change: { ...record(durationMs), progress: null } }), durationMs };
}

function progressOf({ name, checksum, isSeed }: ModuleStep, state: StoredProgress['state']): StoredProgress {
  return { name, checksum, statementsDone: 0, state, isSeed };
}

/**
 * After an abort it may be running on, and what it has done by the end isn't known. A server that can't be told leaves it unknown too.
 * One that could not even be loaded has done nothing: its file may be renamed, or go.
 */
async function saveNotDone(
  migrate: MigrateContext,
  step: ModuleStep,
  tenant: string,
  home: HomeDocument,
  thrown: unknown,
  earlier: StoredProgress | null,
): Promise<void> {
  if (migrate.options.signal.aborted) return;
  // What the connection was lost over may be running on where it was sent to.
  await migrate.scope.endAll();
  const notDone = isTenancyError(thrown, 'TENANCY_MIGRATION_MODULE_REJECTED') ? earlier : progressOf(step, 'between');
  const saving = changeHome(migrate, { tenant, home, change: { progress: step.isSeed ? null : notDone } });
  await (isConnectionError(thrown) ? saving.catch(() => undefined) : saving);
}
