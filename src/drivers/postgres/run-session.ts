import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantDb } from '../../migrations/migration.js';
import type { Loan } from '../connection-loans.js';
import type { SessionOptions, TenantSession } from '../driver.js';
import type { ConnectionBudget } from './connection-budget.js';
import type { ServerConnection } from './server-connection.js';
import type { MigrationSessionDeps } from './session-deps.js';
import { leavesSessionState, leavesState, RESET_SESSION_SQL } from './session-state.js';

/** What differs between the two kinds of home. */
export interface SessionHome
  extends Pick<MigrationSessionDeps, 'marker' | 'historySchema' | 'searchPath' | 'extensionsSchema' | 'lockKey' | 'ensuredExtensions'> {
  /** For messages. */
  readonly name: string;
  /** Null: the one that the cluster's URL names. */
  readonly database: string | null;
  createDb(client: Client): TenantDb;
}

/** Lends a session on one connection of the budget, and takes the connection back clean, or closes it. */
export async function runSession<T>(
  budget: ConnectionBudget,
  home: SessionHome,
  options: SessionOptions,
  use: (session: TenantSession) => Promise<T>,
): Promise<T> {
  const { createMigrationSession } = await import('./migrate/index.js');
  const loan = await budget.borrow(home.database, options.signal);
  const { client, serverVersion } = loan.connection;
  let isTouched = false;
  const bound = home.createDb(client);
  const db: TenantDb = {
    query: (sql, params) => {
      isTouched ||= leavesState(sql);
      return bound.query(sql, params);
    },
  };
  const { createDb: _, database: __, name: ___, ...deps } = home;
  const migrations = createMigrationSession({ ...deps, client, options, serverVersion, db });
  try {
    const answer = await use(
      noticeScripts({ ...migrations, db }, () => {
        isTouched = true;
      }),
    );
    const isOpen = client.getTransactionStatus() !== 'I';
    await giveBack(loan, isTouched || isOpen);
    if (isOpen) throw new TenancyError('TENANCY_TRANSACTION_LEFT_OPEN', { name: home.name });
    return answer;
  } catch (error) {
    await giveBack(loan, true);
    // What is thrown after an abort is only its echo: a cancelled statement, a closed connection.
    throw options.signal.aborted ? options.signal.reason : error;
  }
}

/** Calls back when a script is about to run that may leave something behind in the session. */
function noticeScripts(session: TenantSession, onTouch: () => void): TenantSession {
  return {
    ...session,
    applyMigrations: (steps, apply) => {
      if (steps.some(({ up }) => leavesSessionState(up))) onTouch();
      return session.applyMigrations(steps, apply);
    },
    revertMigrations: (steps, apply) => {
      if (steps.some(({ down }) => leavesSessionState(down))) onTouch();
      return session.revertMigrations(steps, apply);
    },
    applySeed: (seed, apply) => {
      if (leavesSessionState(seed.script)) onTouch();
      return session.applySeed(seed, apply);
    },
  };
}

/** User code may have left settings, temporary tables or an open transaction behind. */
async function giveBack(loan: Loan<ServerConnection>, isTouched: boolean): Promise<void> {
  let isClean = true;
  if (isTouched) {
    try {
      await loan.connection.client.query(`ROLLBACK; ${RESET_SESSION_SQL}`);
    } catch {
      // What can't be cleaned is closed.
      isClean = false;
    }
  }
  await loan.giveBack(isClean);
}
