/**
 * The two tables of ours in a tenant, made with its database: `_tenancy_migrations`, the history; `_tenancy_state`, a row for the
 * marker, the fence, each seed and an unfinished migration. Names are told apart by case and accents, whatever the database's collation.
 *
 * @param database quoted; null: the one that the session is in. */
export function createHistoryTables(database: string | null): readonly string[] {
  const prefix = database === null ? '' : `${database}.`;
  const options = 'ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin';
  return [
    `CREATE TABLE IF NOT EXISTS ${prefix}_tenancy_migrations (name varchar(255) NOT NULL PRIMARY KEY, position int NOT NULL, ` +
      `checksum varchar(64) NOT NULL, applied_at datetime(3) NOT NULL, duration_ms int NOT NULL, run_id varchar(64)) ${options}`,
    `CREATE TABLE IF NOT EXISTS ${prefix}_tenancy_state (type varchar(8) NOT NULL, name varchar(255) NOT NULL DEFAULT '', ` +
      `checksum varchar(64), fence bigint, statements_done int, statement varchar(8), recorded_at datetime(3), detail varchar(2000), ` +
      `PRIMARY KEY (type, name)) ${options}`,
    `INSERT IGNORE INTO ${prefix}_tenancy_state (type, fence) VALUES ('fence', 0)`,
  ];
}
