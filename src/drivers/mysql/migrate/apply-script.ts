import { TenancyError } from '../../../errors.js';
import type { LocalMigration } from '../../../migrations/migration.js';
import { checkProgress, digestsOfSent } from '../../../migrations/plan-progress.js';
import type { SqlMigrationScript } from '../../../migrations/sql/check.js';
import { excerptStatement } from '../../../migrations/sql/excerpt.js';
import { inspectMysqlScript } from '../../../migrations/sql/mysql/check.js';
import { kindOf, setsSession } from '../../../migrations/sql/mysql/statement-kind.js';
import { positionAt } from '../../../migrations/sql/position.js';
import type { SqlScript, SqlStatement } from '../../../migrations/sql/script.js';
import type { ApplyOptions } from '../../driver.js';
import type { ServerConnection } from '../connection.js';
import { readRow } from '../engine-context.js';
import type { MigrateContext } from './context.js';
import { type ProgressType, READ_CLOCK, START_CLOCK } from './history-sql.js';
import { findLost } from './lost-values.js';
import type { StoredProgress } from './read-history.js';
import { own, sendScripts, textsOf, toDone, toPart, type Work } from './send-scripts.js';
import { restoreSettings } from './session-settings.js';
import { probeEffect, readEffect } from './statement-effect.js';

export interface StepRun {
  readonly migration: LocalMigration;
  readonly direction: 'up' | 'down';
  readonly progressType: ProgressType;
  /** What an earlier attempt has left; of whatever migration. */
  readonly progress: StoredProgress | null;
  readonly isApplied: boolean;
  /** Statements of our own that commit, before the first of the script. */
  readonly prepare: readonly string[];
  /** Changes the history, in one transaction with the end of the progress. */
  readonly record: readonly string[];
}

export interface StepDone {
  readonly ms: number;
  readonly at: Date;
}

export type OnDone = (run: StepRun, done: StepDone) => void;

/** A script, and the step that it is of. */
export interface ScriptStep {
  readonly run: StepRun;
  readonly source: SqlMigrationScript;
}

/**
 * Runs scripts one after the other, each in units, the progress of each in the tenant: rows and progress in one transaction; what commits by itself
 * between an intent and the next one. As much of them as can be is one message to the server. Only of the first may an earlier attempt have left something.
 */
export async function applyScripts(
  context: MigrateContext,
  steps: readonly ScriptStep[],
  options: Pick<ApplyOptions, 'tenant' | 'log'>,
  onDone: OnDone,
): Promise<void> {
  const works: Work[] = [];
  for (const { run, source } of steps) works.push(await prepare(context, run, source, options.tenant));
  let left: readonly Work[] = works;
  while (left.length > 0) {
    const before = left;
    left = [];
    try {
      left = await sendScripts(context, before, options, onDone);
    } finally {
      // What goes on in smaller units keeps what it had set.
      const runs = new Set(left.map(({ run }) => run));
      for (const { run, script } of before) if (!runs.has(run)) await restoreSettings(context, script);
    }
  }
}

async function prepare(context: MigrateContext, run: StepRun, source: SqlMigrationScript, tenant: string): Promise<Work> {
  const script = inspectMysqlScript(source);
  const from = await resume(context, run, source, script, tenant);
  const replayed = script.statements.slice(0, from).filter(({ words }) => setsSession(words));
  const begin = [...[START_CLOCK, ...run.prepare].map(own), ...replayed.map((statement) => toPart(source.sql, statement))];
  return { run, source, script, from, begin, exposed: new Set() };
}

export async function readDone({ connection }: MigrateContext): Promise<StepDone> {
  return toDone(await readRow(connection, READ_CLOCK));
}

/** From which statement on, once one that was interrupted is settled. @throws TenancyError `TENANCY_MIGRATION_UNKNOWN`, `…_PROGRESS_DRIFTED` */
async function resume(
  { connection }: MigrateContext,
  { migration, progress, direction, isApplied }: StepRun,
  source: SqlMigrationScript,
  { statements }: SqlScript,
  tenant: string,
): Promise<number> {
  if (progress === null) return 0;
  checkProgress(progress, migration, direction, isApplied, digestsOfSent(textsOf(source, statements), progress));
  const from = await findNext(connection, migration, progress, source, statements, tenant);
  const lost = findLost(statements, from);
  if (lost !== null) {
    const line = positionAt(source.sql, statements[lost.usedAt]?.start ?? 0).line;
    throw new TenancyError('TENANCY_MIGRATION_PROGRESS_DRIFTED', {
      migration: migration.name,
      statementsDone: from,
      reason: `${lost.what}, which line ${line} goes on with, went with the session that had it`,
      advice: `set it anew in ${source.file}, before line ${line}: what comes behind the statements that were run may be mended`,
    });
  }
  return from;
}

async function findNext(
  connection: ServerConnection,
  migration: LocalMigration,
  { statementsDone, state, detail }: StoredProgress,
  source: SqlMigrationScript,
  statements: readonly SqlStatement[],
  tenant: string,
): Promise<number> {
  const statement = statements[statementsDone];
  if (state === 'between' || statement === undefined) return statementsDone;
  const effect = kindOf(statement.words) === 'definition' ? readEffect(source.sql, statement) : ({ type: 'unknown' } as const);
  const finding = await probeEffect(connection, effect, detail);
  if (finding !== 'unknown') return finding === 'done' ? statementsDone + 1 : statementsDone;
  throw new TenancyError('TENANCY_MIGRATION_UNKNOWN', {
    tenant,
    migration: migration.name,
    file: source.file,
    line: positionAt(source.sql, statement.start).line,
    statement: excerptStatement(source.sql, statement, null),
  });
}
