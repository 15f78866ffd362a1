import { createHash } from 'node:crypto';
import type { MysqlAddress } from '../../util/mysql-url.js';
import type { Answer, Row, ServerConnection } from './connection.js';
import type { ConnectionBudget } from './connection-budget.js';

/** What the parts of the driver of one cluster share. */
export interface EngineContext {
  readonly cluster: string;
  readonly url: string;
  readonly address: MysqlAddress;
  readonly budget: ConnectionBudget;
  /** Our own database on the server has been seen to be there. */
  ledger: { isEnsured: boolean };
}

/** Lends a connection for some statements of the driver's own. */
export async function withConnection<T>(
  context: EngineContext,
  signal: AbortSignal | undefined,
  use: (connection: ServerConnection) => Promise<T>,
): Promise<T> {
  const loan = await context.budget.borrow(signal);
  try {
    await loan.connection.send(SESSION_SETTINGS);
    return await use(loan.connection);
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    await loan.giveBack(true);
  }
}

/**
 * How every session of ours starts. Text is UTF-8, and a script means the same on every server: modes that change what a quotation mark or
 * a backslash is, also those that stand for several, are left out of the server's sql_mode; all others stay.
 */
export const SESSION_SETTINGS =
  "SET NAMES utf8mb4; SET SESSION autocommit = 1, sql_mode = REGEXP_REPLACE(@@global.sql_mode, '(ANSI_QUOTES|NO_BACKSLASH_ESCAPES|ANSI|ORACLE|MSSQL|DB2|MAXDB|POSTGRESQL|MYSQL323|MYSQL40)', '')";

export async function readRows<R = Row>(connection: ServerConnection, sql: string, params?: readonly unknown[]): Promise<R[]> {
  const answers = await connection.send(sql, params);
  return (answers.findLast(({ rowCount }) => rowCount === null)?.rows ?? []) as R[];
}

export async function readRow<R = Row>(connection: ServerConnection, sql: string, params?: readonly unknown[]): Promise<R | undefined> {
  return (await readRows<R>(connection, sql, params))[0];
}

/** What a client that asked one question expects: of several statements the last one's answer. */
export function lastAnswer(sql: string, answers: readonly Answer[]): { rows: Row[]; rowCount: number | null } {
  // A CALL ends in a bare count behind the rows that it gave.
  const given = /^\s*call\b/i.test(sql) ? answers.findLast(({ rowCount }) => rowCount === null) : undefined;
  const { rows = [], rowCount = null } = given ?? answers.at(-1) ?? {};
  return { rows, rowCount: rowCount ?? rows.length };
}

/** A name for GET_LOCK, which is the server's as a whole and takes 64 characters: `tenancy:` and a digest. */
export function lockName(kind: 'home' | 'migrate' | 'ledger', name: string): string {
  return `tenancy:${kind}:${createHash('sha256').update(name.toLowerCase()).digest('hex').slice(0, 40)}`;
}
