import { TenancyError } from '../../../errors.js';
import type { MigrationProgress } from '../../../migrations/migration.js';
import { digestOfSent } from '../../../migrations/plan-progress.js';
import type { SqlMigrationScript } from '../../../migrations/sql/check.js';
import { kindOf } from '../../../migrations/sql/mysql/statement-kind.js';
import type { SqlScript, SqlStatement } from '../../../migrations/sql/script.js';
import type { ApplyOptions } from '../../driver.js';
import { numberOf } from '../classify.js';
import type { Row } from '../connection.js';
import { readRows } from '../engine-context.js';
import type { OnDone, StepDone, StepRun } from './apply-script.js';
import { FAIL, FAILED, type MigrateContext } from './context.js';
import { createScriptFailure, isStatementError } from './failure.js';
import { CLOCK_COLUMN, clearProgress, setProgress, tellClock } from './history-sql.js';
import { readHistory } from './read-history.js';
import { type Part, StoppedMessage, sendParts } from './send-units.js';
import { setsAny } from './session-settings.js';
import { signatureOf } from './statement-effect.js';
import { changesAny, readExposed, toUnits, type Unit } from './units.js';

/** A script that is to be carried out, or what is left of it. */
export interface Work {
  readonly run: StepRun;
  readonly source: SqlMigrationScript;
  readonly script: SqlScript;
  /** The statement to begin with. */
  readonly from: number;
  /** Before it. */
  readonly begin: readonly Part[];
  /** Tables whose engine can't undo. */
  readonly exposed: ReadonlySet<string>;
}

const EXPOSED_CHECK = '/* tenancy: engines */';

type SendOptions = Pick<ApplyOptions, 'tenant' | 'log'>;

/**
 * Carries out as many of the scripts, from the first on, as can be in one stream of messages, and resolves to what is left: those behind one that
 * changes the session's settings, which are its own, or one that has to go on in smaller units.
 * Rejects where one of them failed; those before it are done, and were told.
 */
export async function sendScripts(
  context: MigrateContext,
  works: readonly Work[],
  options: SendOptions,
  onDone: OnDone,
): Promise<readonly Work[]> {
  const last = works.findIndex(({ script }) => setsAny(script));
  const stream = createStream(context, works.slice(0, last < 0 ? undefined : last + 1), options, onDone);
  try {
    await stream.send();
    return last < 0 ? [] : works.slice(last + 1);
  } catch (error) {
    if (!(error instanceof StoppedMessage)) throw error;
    const stopped = await stream.settleBefore(error);
    const found = await settleStop(context, stopped, error, options.tenant);
    return [{ ...stopped, ...found, begin: [] }, ...works.slice(works.indexOf(stopped) + 1)];
  }
}

interface Stream {
  send(): Promise<void>;
  /** Tells the scripts that were done before the one in which it stopped, and gives that one. */
  settleBefore(stop: StoppedMessage): Promise<Work>;
}

function createStream(context: MigrateContext, works: readonly Work[], { log }: SendOptions, onDone: OnDone): Stream {
  const told = new Set<Work>();
  const owners = new Map<Part, Work>();
  let parts: Part[] = [];

  function tell(work: Work, done: StepDone): void {
    if (told.has(work)) return;
    told.add(work);
    onDone(work.run, done);
  }

  async function flush(): Promise<void> {
    const sent = parts;
    parts = [];
    if (sent.length === 0) return;
    for (const clock of await sendParts(context, sent, log)) {
      const work = works[Number(clock[CLOCK_COLUMN])];
      if (work !== undefined) tell(work, toDone(clock));
    }
  }

  return {
    send: async () => {
      for (const [index, work] of works.entries()) {
        const add = (...more: readonly Part[]): void => {
          for (const part of more) owners.set(part, work);
          parts.push(...more);
        };
        await addScript(context, work, add, flush);
        // Asked along with the last of it: a round trip of its own would double what a small file costs.
        add(own(tellClock(index)));
      }
      await flush();
    },
    settleBefore: async ({ part }) => {
      const stopped = works.find((work) => work === owners.get(part)) ?? (works[0] as Work);
      const before = works.slice(0, works.indexOf(stopped)).filter((work) => !told.has(work));
      if (before.length > 0) {
        // What a message had answered before it stopped is not told; the history is.
        const { applied } = await readHistory(context);
        const rows = new Map(applied.map((row) => [row.name, row]));
        for (const work of before) {
          const row = rows.get(work.run.migration.name);
          if (row !== undefined) tell(work, { ms: row.durationMs, at: row.appliedAt });
        }
      }
      return stopped;
    },
  };
}

export function toDone(clock: Row | undefined): StepDone {
  return { ms: Number(clock?.done_ms ?? 0), at: new Date(String(clock?.done_at ?? 0)) };
}

async function addScript(
  context: MigrateContext,
  work: Work,
  add: (...parts: readonly Part[]) => void,
  flush: () => Promise<void>,
): Promise<void> {
  const { run, source, script, begin } = work;
  const { sql } = source;
  const units = toUnitsOf(work);
  const save = (statementsDone: number, state: 'between' | 'started', detail?: string): Part =>
    own(setProgress(run.progressType, progressOf(run, source, script, { statementsDone, state }), detail));
  const end: readonly Part[] = [...run.record, clearProgress(run.progressType)].map(own);
  add(...begin);
  for (const [index, unit] of units.entries()) {
    const isLast = index === units.length - 1;
    if (unit.type === 'alone') {
      // The definition to compare with is the one right before.
      if (unit.effect.type === 'definition') await flush();
      const at = unit.statement.index;
      const signature = await signatureOf(context.connection, unit.effect);
      add(own(context.guard), save(at, 'started', signature), toPart(sql, unit.statement));
      if (!isLast && units[index + 1]?.type !== 'alone') add(save(at + 1, 'between'));
    } else {
      const next = (unit.statements.at(-1)?.index ?? 0) + 1;
      const inside = unit.statements.map((statement) => toPart(sql, statement));
      if (!changesRows(unit)) add(own(context.guard), ...inside);
      else {
        const check = unit.tables.length === 0 ? [] : [own(`${EXPOSED_CHECK} SELECT IF(EXISTS(${readExposed(unit.tables)}), ${FAIL}, 1)`)];
        add(own(context.guard), ...check, own('START TRANSACTION'), ...inside, ...(isLast ? end : [save(next, 'between')]), own('COMMIT'));
      }
    }
  }
  const last = units.at(-1);
  if (last === undefined || !changesRows(last)) add(own(context.guard), own('START TRANSACTION'), ...end, own('COMMIT'));
}

function changesRows(unit: Unit): boolean {
  return unit.type === 'rows' && unit.statements.some(({ words }) => kindOf(words) === 'data');
}

function toUnitsOf({ source, script, from, exposed }: Work): Unit[] {
  return toUnits(script, from, (statement) => changesAny(source.sql, statement, exposed));
}

/** Rejects with what is to be told, after the progress is put right; resolves where the work goes on in smaller units. */
async function settleStop(
  context: MigrateContext,
  work: Work,
  stop: StoppedMessage,
  tenant: string,
): Promise<{ readonly from: number; readonly exposed: ReadonlySet<string> }> {
  const { connection, deps } = context;
  const { run, source, script, exposed } = work;
  const { migration, progressType } = run;
  const units = toUnitsOf(work);
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

export function textsOf({ sql }: SqlMigrationScript, statements: readonly SqlStatement[]): readonly string[] {
  return statements.map(({ start, end }) => sql.slice(start, end));
}

export function own(sql: string): Part {
  return { type: 'own', sql };
}

export function toPart(sql: string, statement: SqlStatement): Part {
  return { type: 'script', sql: sql.slice(statement.start, statement.end), statement };
}
