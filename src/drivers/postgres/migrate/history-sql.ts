import { escapeIdentifier, escapeLiteral } from 'pg';
import { historyDigest } from '../../../migrations/history-digest.js';
import type { MigrationProgress } from '../../../migrations/migration.js';
import type { Marker } from '../../driver.js';
import { markerPrefix } from '../marker.js';

/** How long a session waits at most between two looks whether its client is still there. */
const CLIENT_CHECK_MS = 500;

/** What the guard statements say when they stop a transaction; part of an error's message, so that no role needs PL/pgSQL. */
export const GUARD_WORDS = {
  lockHeld: 'tenancy:lock-held',
  fenceLost: 'tenancy:fence-lost',
  historyMoved: 'tenancy:history-moved',
  homeNotOurs: 'tenancy:home-not-ours',
} as const;

export const EMPTY_DIGEST = historyDigest([]);

/** Transaction-local: carries the start of a migration, and is gone when somebody else ended the transaction. */
const STARTED = `'tenancy.started'`;

export interface HistorySqlOptions {
  readonly marker: Marker;
  readonly historySchema: string;
  /** Null in a database of the tenant's own, where the schema of the history is ours to create. */
  readonly searchPath: readonly string[] | null;
  readonly lockKey: string;
  readonly fence: number;
  readonly runId: string | null;
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number | null;
  readonly serverVersion: number;
}

export interface HistorySql {
  /** Opens a transaction with its local settings. One statement each. */
  readonly begin: readonly string[];
  /** Takes the tenant's lock until the end of the transaction, checks the home's marker, and checks and raises the fence; or fails with a guard word. */
  readonly guard: readonly string[];
  /** Takes the lock alone, at a quarter of the price: for a transaction behind a guarded one of the same message that ends in `recordMigration`. */
  readonly lockGuard: string;
  /** The same, but creates what is missing of the history's tables once the lock is taken and the marker is checked. One statement each. */
  readonly guardWithSetUp: readonly string[];
  /** Fails with a guard word in a home that isn't the marker's. */
  readonly read: string;
  /** The same of the migrations alone. */
  readonly readApplied: string;
  /** The comment of the home: whose it is. */
  readonly readComment: string;
  /** A boolean, true where nobody holds the tenant's lock. */
  readonly probeLock: string;
  /** Who holds it, in words; no row: nobody. */
  readonly lockHolder: string;
  checkDigest(expected: string): string;
  /**
   * Its row: duration in ms, time in s since 1970. Checks the fence once more, and fails where no guard ran in the same transaction.
   * @param nth from 1: which one it is since the last `guard`.
   * @param since the duration is that of the transaction, or `progress`: since the first of its statements was begun.
   */
  recordMigration(migration: { readonly name: string; readonly checksum: string }, nth: number, since?: 'guard' | 'progress'): string;
  /** Its row: duration in ms. */
  forgetMigration(name: string): string;
  /** Fails with a guard word where the seed is recorded already. */
  recordSeed(seed: { readonly name: string; readonly checksum: string }): string;
  readonly progress: ProgressSql;
}

/** Of the migration that is carried out statement by statement; there is at most one. */
export interface ProgressSql {
  /** Its row: name, checksum, how many statements are done, `started` or `between`. */
  readonly read: string;
  readonly clear: string;
  /** What the tenant's history says of a migration: a row where it is applied. */
  isApplied(name: string): string;
  set(progress: MigrationProgress): string;
}

/**
 * Two tables a tenant, without TOAST (columns bounded) and with no NOT NULL that nothing relies on (each a row of the catalogue from PostgreSQL 18 on),
 * since creating them is a fifth of the cost of a first migration:
 * `_tenancy_migrations`, the history; `_tenancy_state`, a row for the fence, each seed and an unfinished statement.
 */
export function createHistorySql(options: HistorySqlOptions): HistorySql {
  const schema = escapeIdentifier(options.historySchema);
  const migrations = `${schema}._tenancy_migrations`;
  const state = `${schema}._tenancy_state`;
  const lock = `hashtextextended(${escapeLiteral(`tenancy:${options.lockKey}`)}, 0)`;
  const fence = String(options.fence);
  const startedBy = `current_setting(${STARTED})::numeric`;
  const msSince = (started: string): string => `((extract(epoch FROM clock_timestamp()) - ${started}) * 1000)::integer`;
  const msSinceGuard = msSince(startedBy);
  const msSinceProgress = msSince(`coalesce((SELECT extract(epoch FROM recorded_at) FROM ${state} WHERE type = 'progress'), ${startedBy})`);
  const start = `set_config(${STARTED}, extract(epoch FROM clock_timestamp())::text, true)`;
  const comment = commentOf(options.searchPath === null ? null : schema);
  // A home that isn't there at all is for the statements behind to find.
  const isAbsent = options.searchPath === null ? 'false' : `to_regnamespace(${escapeLiteral(schema)}) IS NULL`;
  const isNotOurs = `NOT coalesce(starts_with((${comment}), ${escapeLiteral(markerPrefix(options.marker))}), ${isAbsent})`;
  // The lock is tried first; the UPDATE, unlike a SELECT, then sees what the lock's last owner committed.
  const fenceUpdate =
    `WITH f AS (UPDATE ${state} SET fence = ${fence}, position = (SELECT coalesce(max(position), 0) FROM ${migrations}) ` +
    `WHERE type = 'fence' AND fence <= ${fence} RETURNING 1)`;
  const fenceOrFail = `NOT EXISTS (SELECT FROM f) THEN ${fail(GUARD_WORDS.fenceLost)}`;
  const homeOrFail = `${isNotOurs} THEN ${fail(GUARD_WORDS.homeNotOurs)}`;
  const lockOrFail = `NOT pg_try_advisory_xact_lock(${lock}) THEN ${fail(GUARD_WORDS.lockHeld)}`;
  const readApplied =
    `SELECT 'migration' AS type, name, checksum, extract(epoch FROM applied_at) AS at, duration_ms, run_id, ` +
    `NULL::bigint AS fence, NULL::integer AS statements_done, NULL AS statement, position FROM ${migrations}`;
  return {
    progress: {
      read: `SELECT name, checksum, statements_done, statement FROM ${state} WHERE type = 'progress'`,
      clear: `DELETE FROM ${state} WHERE type = 'progress'`,
      isApplied: (name) => `SELECT FROM ${migrations} WHERE name = ${escapeLiteral(name)}`,
      set: ({ name, checksum, statementsDone, state: statement }) =>
        `WITH u AS (UPDATE ${state} SET name = ${escapeLiteral(name)}, checksum = ${escapeLiteral(checksum)}, statements_done = ${statementsDone}, ` +
        `statement = ${escapeLiteral(statement)} WHERE type = 'progress' RETURNING 1) ` +
        `INSERT INTO ${state} (type, name, checksum, statements_done, statement, recorded_at) SELECT 'progress', ${escapeLiteral(name)}, ` +
        `${escapeLiteral(checksum)}, ${statementsDone}, ${escapeLiteral(statement)}, clock_timestamp() WHERE NOT EXISTS (SELECT FROM u)`,
    },
    begin: beginStatements(options),
    guard: [`${fenceUpdate} SELECT CASE WHEN ${lockOrFail} WHEN ${homeOrFail} WHEN ${fenceOrFail} ELSE ${start} END`],
    lockGuard: `SELECT CASE WHEN ${lockOrFail} ELSE ${start} END`,
    guardWithSetUp: [
      `SELECT CASE WHEN ${lockOrFail} WHEN ${homeOrFail} END`,
      ...historyTables(options.historySchema, options.searchPath === null),
      `${fenceUpdate} SELECT CASE WHEN ${fenceOrFail} ELSE ${start} END`,
    ],
    read:
      `SELECT CASE WHEN ${homeOrFail} END;${readApplied} UNION ALL ` +
      `SELECT type, name, checksum, extract(epoch FROM recorded_at), NULL, NULL, fence, statements_done, statement, NULL ` +
      `FROM ${state} ORDER BY position, at`,
    readApplied: `SELECT CASE WHEN ${homeOrFail} END;${readApplied} ORDER BY position`,
    readComment: comment,
    probeLock: `SELECT pg_try_advisory_xact_lock(${lock})`,
    lockHolder:
      `SELECT 'process ' || l.pid || coalesce(' (' || nullif(a.application_name, '') || ')', '') || coalesce(' from ' || host(a.client_addr), '') ` +
      `FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 ` +
      `AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) ` +
      `AND ((l.classid::bigint << 32) | l.objid::bigint) = ${lock} LIMIT 1`,
    checkDigest: (expected) =>
      expected === EMPTY_DIGEST
        ? `SELECT CASE WHEN EXISTS (SELECT FROM ${migrations}) THEN ${fail(GUARD_WORDS.historyMoved)} END`
        : `SELECT CASE WHEN encode(sha256(convert_to(coalesce(string_agg(name || ':' || checksum, E'\\n' ORDER BY name), ''), 'UTF8')), 'hex') ` +
          `<> ${escapeLiteral(expected)} THEN ${fail(GUARD_WORDS.historyMoved)} END FROM ${migrations}`,
    // A fence that is behind finds no row, and position may not be null. No other row has a fence: to ask for its type as well would cost 4 µs.
    recordMigration: ({ name, checksum }, nth, since = 'guard') =>
      `INSERT INTO ${migrations} VALUES ((SELECT position + ${nth} FROM ${state} WHERE fence <= ${fence}), ${escapeLiteral(name)}, ` +
      `${escapeLiteral(checksum)}, clock_timestamp(), ${since === 'guard' ? msSinceGuard : msSinceProgress}, ` +
      `${options.runId === null ? 'NULL' : escapeLiteral(options.runId)}) RETURNING duration_ms, extract(epoch FROM applied_at)`,
    forgetMigration: (name) => `DELETE FROM ${migrations} WHERE name = ${escapeLiteral(name)} RETURNING ${msSinceGuard}`,
    recordSeed: ({ name, checksum }) =>
      `INSERT INTO ${state} (type, name, checksum, recorded_at) SELECT 'seed', CASE WHEN EXISTS (SELECT FROM ${state} ` +
      `WHERE type = 'seed' AND name = ${escapeLiteral(name)}) THEN ${fail(GUARD_WORDS.historyMoved)} ELSE ${escapeLiteral(name)} END, ` +
      `${escapeLiteral(checksum)}, clock_timestamp()`,
  };
}

/** What makes the two tables, and before them their schema, where it is theirs alone. One statement each. */
export function historyTables(historySchema: string, isOwnSchema: boolean): readonly string[] {
  const schema = escapeIdentifier(historySchema);
  const state = `${schema}._tenancy_state`;
  return [
    ...(isOwnSchema ? [`CREATE SCHEMA IF NOT EXISTS ${schema}`] : []),
    `CREATE TABLE IF NOT EXISTS ${schema}._tenancy_migrations (position integer NOT NULL, name varchar(255) COLLATE "C" PRIMARY KEY, ` +
      `checksum varchar(64), applied_at timestamptz, duration_ms integer, run_id varchar(64))`,
    `CREATE TABLE IF NOT EXISTS ${state} (type varchar(8), name varchar(255) COLLATE "C", checksum varchar(64), ` +
      `fence bigint, position integer, statements_done integer, statement varchar(8), recorded_at timestamptz)`,
    `INSERT INTO ${state} (type, fence, position) SELECT 'fence', 0, 0 WHERE NOT EXISTS (SELECT FROM ${state} WHERE type = 'fence')`,
  ];
}

/** Not obj_description(): a function in SQL that is set up anew in every statement, at several times the price. Null: of the database. */
function commentOf(schema: string | null): string {
  return schema === null
    ? `SELECT description FROM pg_shdescription WHERE classoid = 'pg_database'::regclass AND objoid = ` +
        `(SELECT oid FROM pg_database WHERE datname = current_database())`
    : `SELECT description FROM pg_description WHERE classoid = 'pg_namespace'::regclass AND objsubid = 0 AND objoid = ` +
        `to_regnamespace(${escapeLiteral(schema)})`;
}

/** Fails when it is reached, and not before: there can be no such setting, and the planner asks for none by itself. 10 µs less than a cast that fails. */
function fail(word: string): string {
  return `current_setting('${word}')`;
}

function beginStatements({ searchPath, lockTimeoutMs, statementTimeoutMs, serverVersion }: HistorySqlOptions): string[] {
  return [
    // Not READ WRITE: where an administrator has set default_transaction_read_only, that is meant for us too.
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    `SET LOCAL search_path TO ${searchPath === null ? 'DEFAULT' : searchPath.map(escapeIdentifier).join(', ')}`,
    `SET LOCAL lock_timeout TO ${lockTimeoutMs}`,
    `SET LOCAL statement_timeout TO ${statementTimeoutMs ?? 0}`,
    // A client that dies in the middle frees its locks within that time (PostgreSQL 14 and newer).
    ...(serverVersion >= 140000 ? [`SET LOCAL client_connection_check_interval TO ${CLIENT_CHECK_MS}`] : []),
  ];
}
