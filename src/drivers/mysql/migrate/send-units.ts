import type { SqlStatement } from '../../../migrations/sql/script.js';
import { numberOf } from '../classify.js';
import type { Answer, Row } from '../connection.js';
import { readRow } from '../engine-context.js';
import type { MigrateContext } from './context.js';
import { CLOCK_COLUMN } from './history-sql.js';

/** What is sent as one message; it stops at the first statement that fails. */
export type Part =
  | { readonly type: 'own'; readonly sql: string }
  | { readonly type: 'script'; readonly sql: string; readonly statement: SqlStatement };

/** A message that stopped half way. The transaction that it had open, if any, is rolled back. */
export class StoppedMessage extends Error {
  override readonly name = 'StoppedMessage';
  override readonly cause: Error;
  /** The script's statement that failed; null: one of our own did. */
  readonly failed: SqlStatement | null;
  /** Our own one that failed. */
  readonly own: string | null;
  /** The last statement of a script that was carried out (and, in a transaction, was rolled back). */
  readonly last: SqlStatement | null;
  readonly part: Part;

  constructor(cause: Error, part: Part, last: SqlStatement | null) {
    super(cause.message);
    this.cause = cause;
    this.part = part;
    this.failed = part.type === 'script' ? part.statement : null;
    this.own = part.type === 'own' ? part.sql : null;
    this.last = last;
  }
}

/**
 * Gives what each clock in it told (`tellClock`).
 *
 * Which statement of a message failed isn't told by the protocol as it is lent to us, and a CALL may answer any number of times, so the message counts for itself.
 * @throws StoppedMessage; what broke the connection as it is.
 */
export async function sendParts(context: MigrateContext, parts: readonly Part[], log: (text: string) => void): Promise<readonly Row[]> {
  const { connection, deps } = context;
  const clocks: Row[] = [];
  for (const message of toMessages(context, parts)) {
    const { statementTimeoutMs } = deps.options;
    let killing: Promise<void> | undefined;
    const kill = (): void => {
      killing = deps.killStatement();
    };
    const timer = needsTimer(context) ? setTimeout(kill, statementTimeoutMs ?? 0) : undefined;
    try {
      const answers = await connection.send(message.join(';'));
      for (const { rows } of answers) clocks.push(...rows.slice(0, 1).filter((row) => CLOCK_COLUMN in row));
      logWarnings(answers, log);
    } catch (error) {
      clearTimeout(timer);
      await killing;
      throw await describeStop(context, parts, error);
    } finally {
      clearTimeout(timer);
      // One that came too late would meet the next statement, perhaps of the next tenant.
      await killing;
    }
  }
  return clocks;
}

const SHOW_WARNINGS = 'SHOW WARNINGS LIMIT 64';

/** The server quotes what it stumbled over, and with it what we have put behind the statement. */
function hideOurs(message: string): string {
  const ours = `\n;${SHOW_WARNINGS};SET @_tenancy_at`;
  return message.replace(/near '([^]*)' at line (\d+)$/, (whole, near: string, line: string) => {
    for (let at = near.indexOf('\n'); at >= 0; at = near.indexOf('\n', at + 1)) {
      const tail = near.slice(at, at + ours.length);
      if (ours.startsWith(tail)) return `near '${near.slice(0, at)}' at line ${line}`;
    }
    return whole;
  });
}

/** Well below every server's max_allowed_packet. */
const MESSAGE_LENGTH = 1_000_000;

/** MariaDB bounds each statement itself (max_statement_time); MySQL's own limit is for SELECT, so there each is watched from here, and sent by itself. */
function needsTimer({ connection, deps }: MigrateContext): boolean {
  return !connection.isMariadb && deps.options.statementTimeoutMs !== null;
}

function toMessages(context: MigrateContext, parts: readonly Part[]): string[][] {
  const messages: string[][] = [];
  let message: string[] = [];
  let length = 0;
  parts.forEach((part, index) => {
    if (length > 0 && (length + part.sql.length > MESSAGE_LENGTH || needsTimer(context))) {
      messages.push(message);
      message = [];
      length = 0;
    }
    // A comment to the end of the line must not swallow the semicolon.
    message.push(`SET @_tenancy_at = ${index}`, `${part.sql}\n`, ...(part.type === 'script' ? [SHOW_WARNINGS] : []));
    length += part.sql.length;
  });
  return [...messages, message].filter(({ length }) => length > 0);
}

async function describeStop({ connection, deps }: MigrateContext, parts: readonly Part[], error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || numberOf(error) === 0 || connection.isBroken || deps.options.signal.aborted) return error;
  const row = await readRow<{ position: number }>(connection, 'SELECT @_tenancy_at AS position').catch(() => undefined);
  if (row === undefined) return error;
  await connection.send('ROLLBACK');
  error.message = hideOurs(error.message);
  const at = Number(row.position);
  const failed = parts[at];
  const last = parts.slice(0, at).findLast((part) => part.type === 'script');
  if (failed === undefined) return error;
  return new StoppedMessage(error, failed, last?.type === 'script' ? last.statement : null);
}

function logWarnings(answers: readonly Answer[], log: (text: string) => void): void {
  for (const { rows } of answers) {
    for (const row of rows) {
      const keys = Object.keys(row);
      if (keys.length === 3 && keys[0] === 'Level' && keys[1] === 'Code' && keys[2] === 'Message')
        log(`${String(row.Level).toUpperCase()}: ${String(row.Message)} (${String(row.Code)})`);
    }
  }
}
