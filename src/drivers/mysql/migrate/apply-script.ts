import { TenancyError } from '../../../errors.js';
import type { LocalMigration, MigrationProgress } from '../../../migrations/migration.js';
import { checkProgress, digestOfSent, digestsOfSent } from '../../../migrations/plan-progress.js';
import type { SqlMigrationScript } from '../../../migrations/sql/check.js';
import { excerptStatement } from '../../../migrations/sql/excerpt.js';
import { inspectMysqlScript } from '../../../migrations/sql/mysql/check.js';
import { kindOf, setsSession } from '../../../migrations/sql/mysql/statement-kind.js';
import { positionAt } from '../../../migrations/sql/position.js';
import type { SqlScript, SqlStatement } from '../../../migrations/sql/script.js';
import type { ApplyOptions } from '../../driver.js';
import { numberOf } from '../classify.js';
import type { ServerConnection } from '../connection.js';
import { readRow, readRows } from '../engine-context.js';
import { FAIL, FAILED, type MigrateContext } from './context.js';
import { createScriptFailure, isStatementError } from './failure.js';
import { clearProgress, type ProgressType, READ_CLOCK, START_CLOCK, setProgress } from './history-sql.js';
import { findLost } from './lost-values.js';
import type { StoredProgress } from './read-history.js';
import { type Part, StoppedMessage, sendParts } from './send-units.js';
import { restoreSettings } from './session-settings.js';
import { probeEffect, readEffect, signatureOf } from './statement-effect.js';
import { changesAny, readExposed, toUnits, type Unit } from './units.js';

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

/**
 * Runs a script in units, the progress of each in the tenant: rows and progress in one transaction; what commits by itself between an intent
 * and the next one. As much of it as can be is one message to the server.
 */
export async function applyScript(
  context: MigrateContext,
  run: StepRun,
  source: SqlMigrationScript,
  options: Pick<ApplyOptions, 'tenant' | 'log'>,
): Promise<StepDone> {
  const script = inspectMysqlScript(source);
  try {
    const from = await resume(context, run, source, script, options.tenant);
    const replayed = script.statements.slice(0, from).filter(({ words }) => setsSession(words));
    const begin: Part[] = [...[START_CLOCK, ...run.prepare].map(own), ...replayed.map((statement) => toPart(source.sql, statement))];
    return await sendUnits(context, run, { source, script, from, begin, exposed: new Set() }, options);
  } finally {
    await restoreSettings(context, script);
  }
}

export async function readDone({ connection }: MigrateContext): Promise<StepDone> {
  return toDone(await readRow(connection, READ_CLOCK));
}

function toDone(row: Record<string, unknown> | undefined): StepDone {
  return { ms: Number(row?.done_ms ?? 0), at: new Date(String(row?.done_at ?? 0)) };
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

interface Work {
  readonly source: SqlMigrationScript;
  readonly script: SqlScript;
  readonly from: number;
  readonly begin: readonly Part[];
  /** Tables whose engine can't undo. */
  readonly exposed: ReadonlySet<string>;
}

const EXPOSED_CHECK = '/* tenancy: engines */';

async function sendUnits(
  context: MigrateContext,
  run: StepRun,
  work: Work,
  options: Pick<ApplyOptions, 'tenant' | 'log'>,
): Promise<StepDone> {
  const { source, script, from, exposed } = work;
  const { sql } = source;
  const units = toUnits(script, from, (statement) => changesAny(sql, statement, exposed));
  let parts: Part[] = [...work.begin];
  const flush = (): ReturnType<typeof sendParts> => {
    const sent = parts;
    parts = [];
    return sendParts(context, sent, options.log);
  };
  const save = (statementsDone: number, state: 'between' | 'started', detail?: string): Part =>
    own(setProgress(run.progressType, progressOf(run, source, script, { statementsDone, state }), detail));
  const end: readonly Part[] = [...run.record, clearProgress(run.progressType)].map(own);
  try {
    for (const [index, unit] of units.entries()) {
      const isLast = index === units.length - 1;
      if (unit.type === 'alone') {
        // The definition to compare with is the one right before.
        if (unit.effect.type === 'definition' && parts.length > 0) await flush();
        const at = unit.statement.index;
        const signature = await signatureOf(context.connection, unit.effect);
        parts.push(own(context.guard), save(at, 'started', signature), toPart(sql, unit.statement));
        if (!isLast && units[index + 1]?.type !== 'alone') parts.push(save(at + 1, 'between'));
      } else {
        const changesRows = unit.statements.some(({ words }) => kindOf(words) === 'data');
        const next = (unit.statements.at(-1)?.index ?? 0) + 1;
        const inside = unit.statements.map((statement) => toPart(sql, statement));
        if (!changesRows) parts.push(own(context.guard), ...inside);
        else {
          const check =
            unit.tables.length === 0 ? [] : [own(`${EXPOSED_CHECK} SELECT IF(EXISTS(${readExposed(unit.tables)}), ${FAIL}, 1)`)];
          const begin = [own(context.guard), ...check, own('START TRANSACTION')];
          parts.push(...begin, ...inside, ...(isLast ? end : [save(next, 'between')]), own('COMMIT'));
        }
      }
    }
    const last = units.at(-1);
    const isRecorded = last?.type === 'rows' && last.statements.some(({ words }) => kindOf(words) === 'data');
    if (!isRecorded) parts.push(own(context.guard), own('START TRANSACTION'), ...end, own('COMMIT'));
    // Asked along with the last of it: a round trip of its own would double what a small file costs.
    parts.push(own(READ_CLOCK));
    return toDone((await flush())[0]);
  } catch (error) {
    if (!(error instanceof StoppedMessage)) throw error;
    const found = await settleStop(context, run, work, units, error, options.tenant);
    return sendUnits(context, run, { ...work, ...found, begin: [] }, options);
  }
}

/** Rejects with what is to be told, after the progress is put right; resolves where the work goes on in smaller units. */
async function settleStop(
  context: MigrateContext,
  run: StepRun,
  { source, script, exposed }: Work,
  units: readonly Unit[],
  stop: StoppedMessage,
  tenant: string,
): Promise<{ readonly from: number; readonly exposed: ReadonlySet<string> }> {
  const { connection, deps } = context;
  const { migration, progressType } = run;
  if (stop.own === context.guard && numberOf(stop.cause) === FAILED) {
    throw new TenancyError('TENANCY_FENCE_LOST', { tenant, fence: deps.options.fence }, { cause: stop.cause });
  }
  if (stop.own?.startsWith(EXPOSED_CHECK) && numberOf(stop.cause) === FAILED) {
    const unit = units.find((candidate) => candidate.type === 'rows' && stop.own?.includes(readExposed(candidate.tables)));
    if (unit?.type === 'rows') {
      const rows = await readRows<{ name: string }>(connection, readExposed(unit.tables));
      return { from: unit.statements[0]?.index ?? 0, exposed: new Set([...exposed, ...rows.map(({ name }) => name)]) };
    }
  }
  if (!isStatementError(stop.cause)) throw stop.cause;
  const write = (statementsDone: number): Promise<unknown> =>
    connection.send(
      statementsDone === 0
        ? clearProgress(progressType)
        : setProgress(progressType, progressOf(run, source, script, { statementsDone, state: 'between' })),
    );
  const unit = findUnit(units, stop.failed);
  const keepsWork = unit?.type === 'alone' && unit.mayKeepWork;
  if (unit?.type === 'alone' && !keepsWork) await write(unit.statement.index);
  // Our own statement behind it failed: it is done all the same.
  const before = stop.failed === null ? findUnit(units, stop.last) : undefined;
  if (before?.type === 'alone') await write(before.statement.index + 1);
  throw createScriptFailure({
    tenant,
    migration: migration.name,
    source,
    statement: stop.failed,
    keepsWork,
    limits: deps.options,
    error: stop.cause,
  });
}

function findUnit(units: readonly Unit[], statement: SqlStatement | null): Unit | undefined {
  if (statement === null) return undefined;
  return units.find((unit) => (unit.type === 'alone' ? unit.statement === statement : unit.statements.includes(statement)));
}

function progressOf(
  { migration }: StepRun,
  source: SqlMigrationScript,
  { statements }: SqlScript,
  reached: Pick<MigrationProgress, 'statementsDone' | 'state'>,
): MigrationProgress {
  return { name: migration.name, checksum: digestOfSent(textsOf(source, statements), reached), ...reached };
}

function textsOf({ sql }: SqlMigrationScript, statements: readonly SqlStatement[]): readonly string[] {
  return statements.map(({ start, end }) => sql.slice(start, end));
}

function own(sql: string): Part {
  return { type: 'own', sql };
}

function toPart(sql: string, statement: SqlStatement): Part {
  return { type: 'script', sql: sql.slice(statement.start, statement.end), statement };
}
