import { TenancyError } from '../../errors.js';
import type { TenantDb } from '../../migrations/migration.js';
import type { SessionOptions, TenantSession, TenantTarget } from '../driver.js';
import type { ServerConnection } from './connection.js';
import type { ConnectionBudget } from './connection-budget.js';
import { lastAnswer, readRow, SESSION_SETTINGS } from './engine-context.js';
import { quoteName } from './quote.js';

/** What the migration part of a session stands on. The session has `connection` for itself while it is lent; it is reset afterwards. */
export interface MigrationSessionDeps {
  /** In the tenant's database, with the session's settings and limits. */
  readonly connection: ServerConnection;
  readonly target: TenantTarget;
  readonly options: SessionOptions;
  /** Bound to the tenant; on the same connection. */
  readonly db: TenantDb;
  /** What the session started with, as SQL. */
  readonly settings: string;
  /** Ends the connection's running statement, from another one. */
  killStatement(): Promise<void>;
}

/** Lends a session on one connection of the budget. Whatever was left in it goes with the reset that every connection is taken back with. */
export async function runSession<T>(
  budget: ConnectionBudget,
  target: TenantTarget,
  options: SessionOptions,
  use: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const { createMigrationSession } = await import('./migrate/index.js');
  const loan = await budget.borrow(options.signal);
  const { connection } = loan;
  try {
    const settings = `${SESSION_SETTINGS}; ${limitSettings(connection, options)}`;
    await connection.send(`USE ${quoteName(target.name)}; ${settings}`);
    let isTouched = false;
    const db: TenantDb = {
      query: async <R>(sql: string, params?: readonly unknown[]) => {
        isTouched = true;
        const answers = await connection.send(sql, params);
        return lastAnswer(sql, answers) as { rows: R[]; rowCount: number | null };
      },
    };
    const killStatement = (): Promise<void> => budget.killStatement(connection);
    const migrations = createMigrationSession({ connection, target, options, db, settings, killStatement });
    const answer = await use({ ...migrations, db });
    if (isTouched && (await isInTransaction(connection))) throw new TenancyError('TENANCY_TRANSACTION_LEFT_OPEN', { name: target.name });
    await loan.giveBack(true);
    return answer;
  } catch (error) {
    await loan.giveBack(true);
    // What is thrown after an abort is only its echo: a killed statement, a closed connection.
    throw options.signal.aborted ? options.signal.reason : error;
  }
}

/**
 * In whole seconds, as both have them: waits for a table's definition (lock_wait_timeout) and for rows (innodb_lock_wait_timeout).
 * MariaDB bounds every statement itself; MySQL SELECTs alone, so there what is a migration is watched from here.
 */
function limitSettings({ isMariadb }: ServerConnection, { lockTimeoutMs, statementTimeoutMs }: SessionOptions): string {
  const seconds = Math.max(1, Math.ceil(lockTimeoutMs / 1000));
  const limit = isMariadb ? `max_statement_time = ${(statementTimeoutMs ?? 0) / 1000}` : `max_execution_time = ${statementTimeoutMs ?? 0}`;
  return `SET SESSION lock_wait_timeout = ${seconds}, innodb_lock_wait_timeout = ${seconds}, ${limit}`;
}

async function isInTransaction(connection: ServerConnection): Promise<boolean> {
  if (connection.isMariadb) return Number((await readRow<{ is_in: number }>(connection, 'SELECT @@in_transaction AS is_in'))?.is_in) === 1;
  // Read-only ones, and those that have written nothing yet, leave nothing behind either.
  const sql = 'SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = CONNECTION_ID() LIMIT 1';
  const row = await readRow(connection, sql).catch(() => undefined);
  return row !== undefined;
}
