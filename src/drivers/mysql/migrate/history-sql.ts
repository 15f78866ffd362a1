import type { HistoryMirror, LocalMigration, MigrationProgress } from '../../../migrations/migration.js';
import { quoteText } from '../quote.js';

/** Of the migration, or of the seed, that is carried out statement by statement; there is at most one of each. */
export type ProgressType = 'progress' | 'seeding';

export const READ_STATE =
  'SELECT type, name, checksum, fence, statements_done, statement, detail FROM _tenancy_state ORDER BY type, recorded_at, name';

export const READ_APPLIED =
  `SELECT name, checksum, DATE_FORMAT(applied_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS at, duration_ms, run_id ` +
  `FROM _tenancy_migrations ORDER BY position, name`;

/** `detail`: SQL, what the catalogue says about the things that statement number `statementsDone` is about to change. */
export function setProgress(
  type: ProgressType,
  { name, checksum, statementsDone, state }: MigrationProgress,
  detail: string = 'NULL',
): string {
  return (
    `INSERT INTO _tenancy_state (type, name, checksum, statements_done, statement, recorded_at, detail) ` +
    `VALUES ('${type}', ${quoteText(name)}, ${quoteText(checksum)}, ${statementsDone}, '${state}', UTC_TIMESTAMP(3), ${detail}) ` +
    `ON DUPLICATE KEY UPDATE checksum = VALUES(checksum), statements_done = VALUES(statements_done), statement = VALUES(statement), ` +
    `recorded_at = VALUES(recorded_at), detail = VALUES(detail)`
  );
}

export function clearProgress(type: ProgressType): string {
  return `DELETE FROM _tenancy_state WHERE type = '${type}'`;
}

/** By the server's clock, from the beginning of this session's work on it. */
export const START_CLOCK = 'SET @_tenancy_started = UTC_TIMESTAMP(6)';
const ELAPSED_MS = 'TIMESTAMPDIFF(MICROSECOND, @_tenancy_started, UTC_TIMESTAMP(6)) DIV 1000';

export function recordMigration(
  { name, checksum }: Pick<LocalMigration, 'name' | 'checksum'>,
  runId: string | null,
  isTimed = true,
): string {
  return (
    `INSERT INTO _tenancy_migrations (name, position, checksum, applied_at, duration_ms, run_id) ` +
    `SELECT ${quoteText(name)}, COALESCE(MAX(position), 0) + 1, ${quoteText(checksum)}, UTC_TIMESTAMP(3), ${isTimed ? ELAPSED_MS : '0'}, ` +
    `${runId === null ? 'NULL' : quoteText(runId)} FROM _tenancy_migrations`
  );
}

export function forgetMigration(name: string): string {
  return `DELETE FROM _tenancy_migrations WHERE name = ${quoteText(name)}`;
}

export function recordSeed({ name, checksum }: { readonly name: string; readonly checksum: string }): string {
  return `INSERT INTO _tenancy_state (type, name, checksum, recorded_at) VALUES ('seed', ${quoteText(name)}, ${quoteText(checksum)}, UTC_TIMESTAMP(3))`;
}

export const CLOCK_COLUMN = '_tenancy_script';

/** As `READ_CLOCK`, of one script among others: which of them it is comes with it. */
export function tellClock(script: number): string {
  return `${READ_CLOCK}, ${script} AS ${CLOCK_COLUMN}`;
}

/** Its row: duration in ms, and time of the server in UTC. */
export const READ_CLOCK = `SELECT ${ELAPSED_MS} AS done_ms, DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-%dT%H:%i:%s.%fZ') AS done_at`;

/**
 * `_prisma_migrations`, as Prisma's schema engine makes and writes it on MySQL (schema-engine/connectors/sql-schema-connector,
 * `create_migrations_table` and `sql_migration_persistence.rs`).
 */
export const CREATE_MIRROR =
  'CREATE TABLE IF NOT EXISTS _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at DATETIME(3), ' +
  'migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at DATETIME(3), started_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), ' +
  'applied_steps_count INTEGER UNSIGNED NOT NULL DEFAULT 0) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci';

/** One that failed under Prisma and was run here since is what `migrate resolve --rolled-back` makes of it. One statement each. */
export function recordMirror({ name, checksum }: HistoryMirror, how: 'applied' | 'declared'): readonly string[] {
  const [started, logs, steps] =
    how === 'applied' ? ['COALESCE(@_tenancy_started, UTC_TIMESTAMP(3))', 'NULL', 1] : ['UTC_TIMESTAMP(3)', "''", 0];
  const migration = quoteText(name);
  return [
    `UPDATE _prisma_migrations SET rolled_back_at = UTC_TIMESTAMP(3) WHERE migration_name = ${migration} AND finished_at IS NULL AND rolled_back_at IS NULL`,
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, logs, applied_steps_count) ` +
      `SELECT UUID(), ${quoteText(checksum)}, ${migration}, ${started}, UTC_TIMESTAMP(3), ${logs}, ${steps} FROM DUAL ` +
      `WHERE NOT EXISTS (SELECT 1 FROM _prisma_migrations WHERE migration_name = ${migration} AND finished_at IS NOT NULL AND rolled_back_at IS NULL)`,
  ];
}

export function forgetMirror({ name }: HistoryMirror): string {
  return `DELETE FROM _prisma_migrations WHERE migration_name = ${quoteText(name)}`;
}

export const READ_MIRROR =
  'SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS is_finished FROM _prisma_migrations ' +
  'WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name';
