import { escapeIdentifier } from 'pg';
import { query, withDatabase } from './postgres.js';

/** Drops the databases that a registry has had made ahead, under whichever of their names; with what was made of them half. */
export async function dropPreparedHomes(registryUrl: string): Promise<void> {
  const server = withDatabase(registryUrl, 'postgres');
  for (const name of await listPreparedDatabases(registryUrl)) {
    await query(server, `ALTER DATABASE ${escapeIdentifier(name)} IS_TEMPLATE false`);
    await query(server, `DROP DATABASE ${escapeIdentifier(name)} WITH (FORCE)`);
  }
}

/** Their names on the server now, in the order of names. */
export async function listPreparedDatabases(registryUrl: string): Promise<readonly string[]> {
  const [book] = await query<{ is_there: boolean }>(registryUrl, `SELECT to_regclass('tenancy.prepared_homes') IS NOT NULL AS is_there`);
  if (!book?.is_there) return [];
  const rows = await query<{ name: string }>(
    registryUrl,
    `SELECT d.datname AS name FROM pg_database d, tenancy.prepared_homes h
      WHERE d.datname IN (h.name, 'tenancy_new_' || h.id, 'tenancy_op_' || h.id) AND h.driver = 'postgres-database' ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}
