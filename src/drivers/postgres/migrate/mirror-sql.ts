import { escapeIdentifier, escapeLiteral } from 'pg';
import type { HistoryMirror } from '../../../migrations/migration.js';

/** Rows in the history of the tool whose folder is run, in the transaction of ours. One statement each. */
export interface MirrorSql {
  /** Makes the table where it isn't. */
  readonly create: string;
  /** For a migration that was carried out in the same transaction, behind the guard. */
  record(mirror: HistoryMirror): string;
  /** For one that is declared to be applied. */
  declare(mirror: HistoryMirror): string;
  forget(mirror: HistoryMirror): string;
  /** Its rows: name, checksum, `finished` or `failed`. Fails where the table isn't there. */
  readonly read: string;
}

/**
 * `_prisma_migrations`, as Prisma's schema engine makes and writes it (schema-engine/connectors/sql-schema-connector, `create_migrations_table` and
 * `sql_migration_persistence.rs`): `migrate deploy` leaves one applied step and no logs, `migrate resolve --applied` no step and empty logs.
 *
 * @param schema where Prisma looks: the one that `?schema=` names in a tenant's URL
 */
export function createMirrorSql(schema: string): MirrorSql {
  const table = `${escapeIdentifier(schema)}."_prisma_migrations"`;
  // One that failed under Prisma and was run here since is what `migrate resolve --rolled-back` makes of it.
  const insert = ({ name, checksum }: HistoryMirror, values: string): string =>
    `WITH failed AS (UPDATE ${table} SET rolled_back_at = clock_timestamp() WHERE migration_name = ${escapeLiteral(name)} ` +
    `AND finished_at IS NULL AND rolled_back_at IS NULL) ` +
    `INSERT INTO ${table} (id, checksum, migration_name, started_at, finished_at, logs, applied_steps_count) ` +
    `SELECT gen_random_uuid()::text, ${escapeLiteral(checksum)}, ${escapeLiteral(name)}, ${values} ` +
    `WHERE NOT EXISTS (SELECT FROM ${table} WHERE migration_name = ${escapeLiteral(name)} AND finished_at IS NOT NULL AND rolled_back_at IS NULL)`;
  return {
    create:
      `CREATE TABLE IF NOT EXISTS ${table} (id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz, ` +
      `migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), ` +
      `applied_steps_count integer NOT NULL DEFAULT 0)`,
    record: (mirror) => insert(mirror, `to_timestamp(current_setting('tenancy.started')::float8), clock_timestamp(), NULL, 1`),
    declare: (mirror) => insert(mirror, `clock_timestamp(), clock_timestamp(), '', 0`),
    forget: ({ name }) => `DELETE FROM ${table} WHERE migration_name = ${escapeLiteral(name)}`,
    read:
      `SELECT migration_name, checksum, CASE WHEN finished_at IS NULL THEN 'failed' ELSE 'finished' END FROM ${table} ` +
      `WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name`,
  };
}
