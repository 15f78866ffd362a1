import { DatabaseError } from 'pg';
import { isTenancyError } from '../../../errors.js';
import type { LocalMigration, MigrationScript, TenantDb } from '../../../migrations/migration.js';
import { inspectScript } from '../../../migrations/sql/inspect.js';
import { parseSqlScript } from '../../../migrations/sql/script.js';
import { untilAborted } from '../../../util/abort.js';
import type { ApplyOptions, SessionOptions } from '../../driver.js';
import { leavesState, RESET_SESSION_SQL } from '../session-state.js';
import type { MigrateContext } from './context.js';
import { createModuleFailure, explain, isStatementError } from './failure.js';
import { guardStop, rollBack } from './guarded.js';
import { readRows } from './send-message.js';
import { sendGuarded } from './transaction.js';

type ModuleScript = Extract<MigrationScript, { type: 'module' }>;

export interface ModuleRun {
  readonly migration: LocalMigration;
  readonly script: ModuleScript;
  /** Changes the history, in the same transaction; its row is handed back. */
  readonly record: string;
  readonly isFirst: boolean;
}

/** Runs a module between the guard and the history's row of one transaction, which its `db` is bound to. */
export async function applyModule(context: MigrateContext, run: ModuleRun, options: ApplyOptions): Promise<readonly (string | null)[]> {
  const { migration, script, record } = run;
  const { tenant, expectedDigest } = options;
  await sendGuarded(context, { tenant, expectedDigest, withSetUp: run.isFirst, statements: [], isCommitted: false });
  const lent = lendDb(context);
  try {
    await runModule(context, script, lent.db, options);
  } catch (thrown) {
    lent.takeBack();
    await undo(context, thrown);
    throw moduleFailure({ tenant, migration, script, limits: context.deps.options, thrown });
  }
  lent.takeBack();
  try {
    // Within the transaction, since behind a pooler the session is another's right after it.
    const cleanUp = lent.leavesState() ? `${RESET_SESSION_SQL};` : '';
    const rows = await readRows(context.deps.client, `${record};${cleanUp}COMMIT`);
    return rows.at(-1) ?? [];
  } catch (error) {
    await undo(context, error);
    if (!isStatementError(error) || guardStop(error) !== null) throw error;
    const reason = explainRecordFailure(error, lent.firstError());
    const cause = lent.firstError() ?? error;
    throw createModuleFailure({ tenant, migration: migration.name, file: script.file, reason, limits: context.deps.options, cause });
  }
}

export async function runModule(
  { deps }: MigrateContext,
  script: ModuleScript,
  db: TenantDb,
  { tenant, log }: ApplyOptions,
): Promise<void> {
  const { signal } = deps.options;
  await untilAborted(() => script.run(db, { tenant, signal, log }), signal);
}

export function moduleFailure({
  tenant,
  migration,
  script,
  limits,
  thrown,
}: {
  tenant: string;
  migration: LocalMigration;
  script: ModuleScript;
  limits: Pick<SessionOptions, 'lockTimeoutMs' | 'statementTimeoutMs'>;
  thrown: unknown;
}): unknown {
  if (thrown instanceof DatabaseError && !isStatementError(thrown)) return thrown;
  // It could not be loaded, exports nothing to run, or asks for what a pooler can't give: that is a sentence already.
  if (isTenancyError(thrown, 'TENANCY_MIGRATION_MODULE_REJECTED') || isTenancyError(thrown, 'TENANCY_SESSION_POOLED')) return thrown;
  return createModuleFailure({
    tenant,
    migration: migration.name,
    file: script.file,
    reason: explainThrown(thrown),
    limits,
    cause: thrown,
  });
}

/** JavaScript lets anything be thrown. */
function explainThrown(thrown: unknown): string {
  if (thrown instanceof DatabaseError) return explain(thrown);
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  return `it threw ${typeof thrown === 'string' ? JSON.stringify(thrown) : String(thrown)}, which is not an Error`;
}

function explainRecordFailure(error: DatabaseError, first: unknown): string {
  if (error.code === '25P02') {
    return `a query of it had failed, and with it the whole transaction, although it went on${first instanceof DatabaseError ? `: ${explain(first)}` : ''}`;
  }
  // The guard's setting went with the transaction that it was local to.
  const hasLostStart = error.code === '42704' || (error.code === '22P02' && /numeric: ""/.test(error.message));
  return hasLostStart
    ? 'it ended the transaction, which is not its own to end, so that what it did may be kept without a history row'
    : explain(error);
}

async function undo(context: MigrateContext, cause: unknown): Promise<void> {
  try {
    if (!context.deps.options.signal.aborted) await rollBack(context);
  } catch {
    // The connection is gone, and the transaction with it: what ended it is what matters.
    throw cause;
  }
}

interface LentDb {
  readonly db: TenantDb;
  firstError(): unknown;
  /** Whether a query may have left something in the session. */
  leavesState(): boolean;
  /** A promise that was not awaited must not reach into the next transaction. */
  takeBack(): void;
}

function lendDb({ deps }: MigrateContext): LentDb {
  let isLent = true;
  let firstError: unknown;
  let isTouched = false;
  let turn: Promise<unknown> = Promise.resolve();
  const send = async <Row>(sql: string, params: readonly unknown[]): Promise<{ rows: Row[]; rowCount: number | null }> => {
    if (!isLent) throw new Error('the migration is over, and its db with it: await every query');
    refuseTransactionControl(sql);
    isTouched ||= leavesState(sql);
    try {
      const results = params.length === 0 ? await deps.client.query(sql) : await deps.client.query(sql, [...params]);
      const last = Array.isArray(results) ? results.at(-1) : results;
      return { rows: (last?.rows ?? []) as Row[], rowCount: last?.rowCount ?? null };
    } catch (error) {
      firstError ??= error;
      throw error;
    }
  };
  return {
    db: {
      query: <Row>(sql: string, params: readonly unknown[] = []) => {
        const answer = turn.then(() => send<Row>(sql, params));
        turn = answer.catch(() => {});
        return answer;
      },
    },
    firstError: () => firstError,
    leavesState: () => isTouched,
    takeBack: () => {
      isLent = false;
    },
  };
}

function refuseTransactionControl(sql: string): void {
  const control = inspectScript(parseSqlScript(sql)).find((note) => note.type === 'transaction-control');
  if (control?.type === 'transaction-control')
    throw new Error(`${control.word} is refused: the transaction of a migration is not its own to end`);
}
