import { isTenancyError, TenancyError } from '../../../errors.js';
import type { MigrationScript, TenantDb } from '../../../migrations/migration.js';
import { checkProgress } from '../../../migrations/plan-progress.js';
import { transactionControl } from '../../../migrations/sql/mysql/check.js';
import { parseMysqlScript } from '../../../migrations/sql/mysql/script.js';
import { kindOf } from '../../../migrations/sql/mysql/statement-kind.js';
import { untilAborted } from '../../../util/abort.js';
import type { ApplyOptions } from '../../driver.js';
import { numberOf } from '../classify.js';
import type { StepDone, StepRun } from './apply-script.js';
import { readDone } from './apply-script.js';
import { FAILED, type MigrateContext } from './context.js';
import { createModuleFailure, explain, isStatementError } from './failure.js';
import { clearProgress, START_CLOCK, setProgress } from './history-sql.js';

type ModuleScript = Extract<MigrationScript, { type: 'module' }>;

/**
 * Runs a module as one step: an intent, its queries each on its own, and the history row. One that failed may be run again; one whose process died on the way
 * can't be told from one that was done. With `export const transaction = true` its queries, which then may change rows only, are
 * one transaction with the history row.
 */
export async function applyModule(
  context: MigrateContext,
  run: StepRun,
  script: ModuleScript,
  options: Pick<ApplyOptions, 'tenant' | 'log'>,
): Promise<StepDone> {
  const { connection } = context;
  const { tenant } = options;
  const isTransaction = script.requestsTransaction === true;
  const isDone = resume(run, script, tenant);
  const intent = isTransaction ? 'START TRANSACTION' : saveProgress(run, 0, 'started');
  await guarded(context, tenant, [START_CLOCK, ...run.prepare, context.guard, ...(isDone ? [] : [intent])]);
  const lent = lendDb(context, isTransaction);
  try {
    if (!isDone) await runModule(context, script, lent.db, options);
    lent.takeBack();
    if (isTransaction && lent.firstError() !== undefined) throw lent.firstError();
  } catch (thrown) {
    lent.takeBack();
    if (thrown instanceof Error && numberOf(thrown) > 0 && !isStatementError(thrown)) throw thrown;
    // After an abort it may be running on: then what it has done by the end isn't known.
    if (!context.deps.options.signal.aborted) await connection.send(isTransaction ? 'ROLLBACK' : saveNotDone(run, thrown));
    // It could not be loaded, or exports nothing to run: that is a sentence already.
    if (isTenancyError(thrown, 'TENANCY_MIGRATION_MODULE_REJECTED')) throw thrown;
    const reason = explainThrown(thrown);
    throw createModuleFailure({ tenant, migration: run.migration.name, file: script.file, reason }, context.deps.options, thrown);
  }
  const start = isTransaction && !isDone ? [] : ['START TRANSACTION'];
  await guarded(context, tenant, [context.guard, ...start, ...run.record, clearProgress(run.progressType), 'COMMIT']);
  return readDone(context);
}

/** True where somebody said that it was done. @throws TenancyError `TENANCY_MIGRATION_UNKNOWN` */
function resume({ progress, migration, direction, isApplied }: StepRun, script: ModuleScript, tenant: string): boolean {
  if (progress === null) return false;
  checkProgress(progress, migration, direction, isApplied, [migration.checksum]);
  if (progress.state === 'between') return progress.statementsDone > 0;
  throw new TenancyError('TENANCY_MIGRATION_UNKNOWN', {
    tenant,
    migration: migration.name,
    file: script.file,
    line: 1,
    statement: `all of ${script.file}`,
  });
}

/** One that could not even be loaded has done nothing: its file may be renamed, or go. */
function saveNotDone(run: StepRun, thrown: unknown): string {
  const isUntouched = run.progress === null && isTenancyError(thrown, 'TENANCY_MIGRATION_MODULE_REJECTED');
  return isUntouched ? clearProgress(run.progressType) : saveProgress(run, 0, 'between');
}

function saveProgress(
  { progressType, migration: { name, checksum } }: StepRun,
  statementsDone: number,
  state: 'started' | 'between',
): string {
  return setProgress(progressType, { name, checksum, statementsDone, state });
}

async function guarded({ connection, deps }: MigrateContext, tenant: string, statements: readonly string[]): Promise<void> {
  try {
    await connection.send(statements.join('; '));
  } catch (error) {
    if (numberOf(error) !== FAILED) throw error;
    throw new TenancyError('TENANCY_FENCE_LOST', { tenant, fence: deps.options.fence }, { cause: error });
  }
}

async function runModule(
  { deps }: MigrateContext,
  script: ModuleScript,
  db: TenantDb,
  { tenant, log }: Pick<ApplyOptions, 'tenant' | 'log'>,
): Promise<void> {
  const { signal } = deps.options;
  await untilAborted(() => script.run(db, { tenant, signal, log }), signal);
}

/** JavaScript lets anything be thrown. */
function explainThrown(thrown: unknown): string {
  if (thrown instanceof Error) return numberOf(thrown) > 0 ? explain(thrown) : `${thrown.name}: ${thrown.message}`;
  return `it threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : String(thrown)}, which is not an Error`;
}

interface LentDb {
  readonly db: TenantDb;
  firstError(): unknown;
  /** A promise that was not awaited must not reach into what follows. */
  takeBack(): void;
}

function lendDb({ deps }: MigrateContext, isTransaction: boolean): LentDb {
  let isLent = true;
  let firstError: unknown;
  let turn: Promise<unknown> = Promise.resolve();
  const send = async <Row>(sql: string, params?: readonly unknown[]): Promise<{ rows: Row[]; rowCount: number | null }> => {
    if (!isLent) throw new Error('the migration is over, and its db with it: await every query');
    try {
      refuseCommits(sql, isTransaction);
      return await deps.db.query<Row>(sql, params);
    } catch (error) {
      firstError ??= error;
      throw error;
    }
  };
  return {
    db: {
      query: <Row>(sql: string, params?: readonly unknown[]) => {
        const answer = turn.then(() => send<Row>(sql, params));
        turn = answer.catch(() => {});
        return answer;
      },
    },
    firstError: () => firstError,
    takeBack: () => {
      isLent = false;
    },
  };
}

function refuseCommits(sql: string, isTransaction: boolean): void {
  for (const { words } of parseMysqlScript(sql).statements) {
    const control = transactionControl(words);
    if (control !== null) throw new Error(`${control} is refused: transactions of a migration are not its own to begin or end`);
    // The history is written in whatever database the session is in.
    if (words[0] === 'USE') throw new Error("USE is refused: each statement is run in the tenant's own database");
    const kind = kindOf(words);
    if (isTransaction && (kind === 'definition' || kind === 'opaque'))
      throw new Error(
        `${words.slice(0, 2).join(' ')} commits what was before it, and the module asked for a transaction (export const transaction = true)`,
      );
  }
}
