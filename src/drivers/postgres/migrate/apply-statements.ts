import { TenancyError } from '../../../errors.js';
import type { LocalMigration } from '../../../migrations/migration.js';
import { checkProgress, digestsOfSent } from '../../../migrations/plan-progress.js';
import { excerptStatement } from '../../../migrations/sql/excerpt.js';
import { mayCommit, outsideTransaction } from '../../../migrations/sql/inspect.js';
import { positionAt } from '../../../migrations/sql/position.js';
import type { SqlStatement } from '../../../migrations/sql/script.js';
import { isDirectConnection } from '../../../util/direct-connection.js';
import type { ApplyOptions } from '../../driver.js';
import type { MigrateContext, PreparedScript } from './context.js';
import { probeStatement, waitForStatement } from './probe-statement.js';
import { progressOf, readProgress, textsOf } from './progress.js';
import { sendStatement } from './send-statement.js';
import type { StatementPlace } from './statement-place.js';
import { sendGuarded } from './transaction.js';

export interface StatementsRun {
  readonly migration: LocalMigration;
  readonly prepared: PreparedScript;
  readonly direction: 'up' | 'down';
  /** Changes the history, in the same transaction as the last progress; its row is handed back. */
  readonly record: string;
  readonly isFirst: boolean;
}

/**
 * Carries out a script one statement a step, for what can't be in a transaction, or ends those of its own:
 * ```
 * in a transaction:   BEGIN; guard; <statement>; done = n + 1; COMMIT
 * elsewhere:          BEGIN; guard; n is started; COMMIT → <statement> → BEGIN; guard; done = n + 1; COMMIT
 * after a crash:      n is started → wait until nobody runs it → probe the catalogue: done, again, or unknown
 * ```
 * A process that is stopped between the second and the third and wakes after another has taken over sends its statement once more,
 * without a guard; all that can be probed bear that (the index is there already), and a procedure that commits must.
 */
export async function applyStatements(
  context: MigrateContext,
  run: StatementsRun,
  options: ApplyOptions,
): Promise<readonly (string | null)[]> {
  const { prepared, migration } = run;
  const { statements } = prepared;
  let done = await resume(context, run, options);
  let row: readonly (string | null)[] = [];
  const keep = (values: readonly (string | null)[]): void => {
    row = values;
  };
  const finish = async (): Promise<void> => {
    const ends = done >= statements.length;
    const save = ends ? [run.record, context.sql.progress.clear] : [context.sql.progress.set(progressOf(run, done, 'between'))];
    await sendGuarded(context, { ...quiet(options), statements: save, isCommitted: true, onRow: keep });
  };
  if (done >= statements.length) await finish();
  for (let statement = statements[done]; statement; statement = statements[done]) {
    const place = { tenant: options.tenant, migration, prepared, statement, index: done };
    await refuseSettingInPool(context, place);
    if (!(await isSentAlone(context, statement))) {
      const ends = done + 1 === statements.length;
      const save = ends ? [run.record, context.sql.progress.clear] : [context.sql.progress.set(progressOf(run, done + 1, 'between'))];
      await sendStatement.within(context, place, save, keep);
      done++;
    } else {
      await sendGuarded(context, {
        ...quiet(options),
        statements: [context.sql.progress.set(progressOf(run, done, 'started'))],
        isCommitted: true,
      });
      await sendStatement.alone(context, place);
      done++;
      await finish();
    }
  }
  return row;
}

/**
 * What may commit is, too: but behind a pooler a tenant's search path can't be set around it, and without one
 * it would be run on nobody's tables, so there it stays in the transaction, where a COMMIT is refused by the server.
 */
async function isSentAlone(context: MigrateContext, { words }: SqlStatement): Promise<boolean> {
  if (outsideTransaction(words) !== null) return true;
  return mayCommit(words) && (context.schema === null || (await isDirectConnection(context.deps.client)));
}

/** A setting is for the statements that come after it, which behind a pooler another session may be given. */
async function refuseSettingInPool({ deps }: MigrateContext, { prepared, statement }: StatementPlace): Promise<void> {
  const { notes, source } = prepared;
  const isSetting = notes.some(({ type, offset }) => type === 'session-setting' && offset >= statement.start && offset < statement.end);
  if (!isSetting || (await isDirectConnection(deps.client))) return;
  const where = `${source.file}, line ${positionAt(source.sql, statement.start).line}`;
  throw new TenancyError('TENANCY_SESSION_POOLED', { where, what: 'SET without LOCAL, outside of a transaction,' });
}

/** How many statements are done, once an interrupted one is settled. */
async function resume(context: MigrateContext, run: StatementsRun, options: ApplyOptions): Promise<number> {
  const { migration, prepared, direction } = run;
  const progress = await readProgress(context, options, run.isFirst);
  if (progress === null) return 0;
  checkProgress(progress, migration, direction, direction === 'down', digestsOfSent(textsOf(prepared), progress));
  const statement = prepared.statements[progress.statementsDone];
  if (progress.state === 'between' || !statement) return progress.statementsDone;
  const place = { tenant: options.tenant, migration, prepared, statement, index: progress.statementsDone };
  await waitForStatement(context, place);
  const finding = await probeStatement(context, place);
  if (finding === 'unknown') throw unknownStatement(options.tenant, migration, prepared, statement);
  return finding === 'done' ? progress.statementsDone + 1 : progress.statementsDone;
}

export function quiet({ tenant }: ApplyOptions): { readonly tenant: string; readonly expectedDigest: null; readonly withSetUp: false } {
  return { tenant, expectedDigest: null, withSetUp: false };
}

function unknownStatement(tenant: string, migration: LocalMigration, { source }: PreparedScript, statement: SqlStatement): TenancyError {
  return new TenancyError('TENANCY_MIGRATION_UNKNOWN', {
    tenant,
    migration: migration.name,
    file: source.file,
    line: positionAt(source.sql, statement.start).line,
    statement: excerptStatement(source.sql, statement, null),
  });
}
