import type { Client, QueryResult } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantDb } from '../../migrations/migration.js';
import { inspectScript } from '../../migrations/sql/inspect.js';
import { parseSqlScript } from '../../migrations/sql/script.js';
import { isDirectConnection } from '../../util/direct-connection.js';
import { quotePath } from './quote.js';
import { leavesState } from './session-state.js';

type Rows<Row> = { rows: Row[]; rowCount: number | null };

const NO_TRANSACTION_BLOCK = '25001';

/** For a tenant that has a database of its own: the connection as it is. */
export function createDatabaseDb(client: Client, database: string): TenantDb {
  return {
    query: async <Row>(sql: string, params?: readonly unknown[]) => {
      await refuseStateInPool(client, database, sql);
      return takeLast<Row>(await send(client, sql, params));
    },
  };
}

/**
 * For a tenant that has a schema in a shared database. Each query is one transaction with a `search_path` of its own,
 * so that nothing stays behind in the session, which PgBouncer may hand to somebody else after each transaction.
 *
 * A statement that refuses to be in a transaction (CREATE INDEX CONCURRENTLY, VACUUM) is sent again by itself, with the session's
 * path set around it. Behind a pooler that would be set for somebody else, and the statement find somebody else's path: there it is refused.
 */
export function createSchemaDb(client: Client, schema: string, searchPath: readonly string[]): TenantDb {
  const open = `BEGIN; SET LOCAL search_path TO ${quotePath(searchPath)};`;
  return {
    query: async <Row>(sql: string, params?: readonly unknown[]) => {
      refuseTransactionControl(schema, sql);
      await refuseStateInPool(client, schema, sql);
      try {
        return await (params === undefined || params.length === 0
          ? sendScript<Row>(client, open, sql)
          : sendQuery<Row>(client, open, sql, params));
      } catch (error) {
        await rollBack(client, error);
        if (codeOf(error) !== NO_TRANSACTION_BLOCK) throw error;
        if (!(await isDirectConnection(client))) {
          throw new TenancyError(
            'TENANCY_SESSION_POOLED',
            { where: `db.query in ${schema}`, what: "what can't be in a transaction" },
            { cause: error },
          );
        }
        return await sendAlone<Row>(client, searchPath, sql, params);
      }
    },
  };
}

/** One message for everything; the newline ends a trailing `--` comment. */
async function sendScript<Row>(client: Client, open: string, sql: string): Promise<Rows<Row>> {
  const prefix = `${open}\n`;
  try {
    const results = (await client.query(`${prefix}${sql}\n; COMMIT`)) as unknown as QueryResult[];
    return takeLast<Row>(results.slice(2, -1));
  } catch (error) {
    throw movePosition(error, prefix.length);
  }
}

async function sendQuery<Row>(client: Client, open: string, sql: string, params: readonly unknown[]): Promise<Rows<Row>> {
  await client.query(open);
  const result = takeLast<Row>(await send(client, sql, params));
  await client.query('COMMIT');
  return result;
}

async function sendAlone<Row>(client: Client, searchPath: readonly string[], sql: string, params?: readonly unknown[]): Promise<Rows<Row>> {
  await client.query(`SET search_path TO ${quotePath(searchPath)}`);
  try {
    return takeLast<Row>(await send(client, sql, params));
  } finally {
    await client.query('RESET search_path');
  }
}

async function send(client: Client, sql: string, params: readonly unknown[] = []): Promise<QueryResult | QueryResult[]> {
  return params.length === 0 ? client.query(sql) : client.query(sql, [...params]);
}

/** Of several statements the last one's result, as a client that was asked one question expects. */
function takeLast<Row>(results: QueryResult | QueryResult[]): Rows<Row> {
  const last = Array.isArray(results) ? results.at(-1) : results;
  return { rows: (last?.rows ?? []) as Row[], rowCount: last?.rowCount ?? null };
}

/** Without asking for the transaction's state first: pg learns of it only after it has handed out the error. */
async function rollBack(client: Client, cause: unknown): Promise<void> {
  try {
    await client.query('ROLLBACK');
  } catch {
    // The connection is gone, and the server has rolled back by itself: what happened before is what matters.
    throw cause;
  }
}

/** A COMMIT in the middle would send the rest of the query without a `search_path`, to nobody's tables or to everybody's. */
function refuseTransactionControl(schema: string, sql: string): void {
  const control = inspectScript(parseSqlScript(sql)).find((note) => note.type === 'transaction-control');
  if (control !== undefined) throw new TenancyError('TENANCY_TRANSACTION_REJECTED', { name: schema, statement: control.word });
}

const STATE_WORDS = {
  'RESET ROLE': 'SET ROLE',
  'RESET SESSION AUTHORIZATION': 'SET SESSION AUTHORIZATION',
  'DISCARD TEMP': 'a temporary table',
  'DEALLOCATE ALL': 'PREPARE',
  'UNLISTEN *': 'LISTEN',
  'SELECT pg_advisory_unlock_all()': 'pg_advisory_lock',
};

/** What outlives its transaction would reach whoever is given the session next, and not the query that it was meant for. */
async function refuseStateInPool(client: Client, name: string, sql: string): Promise<void> {
  if (!leavesState(sql)) return;
  const note = inspectScript(parseSqlScript(sql)).find(({ type }) => type === 'session-state' || type === 'session-setting');
  if (note === undefined || (await isDirectConnection(client))) return;
  const what = note.type === 'session-state' ? STATE_WORDS[note.cleanUp] : 'SET without LOCAL';
  throw new TenancyError('TENANCY_SESSION_POOLED', { where: `db.query in ${name}`, what });
}

/** Positions count characters from the start of the message; the caller only knows its own part of it. */
function movePosition(error: unknown, prefixLength: number): unknown {
  if (error instanceof Error && 'position' in error && typeof error.position === 'string') {
    error.position = String(Number(error.position) - prefixLength);
  }
  return error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
