import { createHash } from 'node:crypto';
import { escapeId } from 'mysql2';
import { queryMysql } from './mysql.js';
import { withDatabase } from './postgres.js';

/** What a backup has to bring back, of a tenant's database on MySQL or MariaDB: nothing of its name, of whose it is, or of which life it is. */
export async function checksumMysqlContents(server: string, database: string): Promise<string> {
  const url = withDatabase(server, database);
  const hash = createHash('sha256');
  const add = (value: unknown): void => {
    hash.update(JSON.stringify(value).replaceAll(database, '<home>'));
  };
  for (const sql of CATALOGUE) add(await queryMysql(url, sql, [database]));
  const tables = await queryMysql<{ name: string }>(
    url,
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY 1`,
    [database],
  );
  for (const { name } of tables) {
    const rows = await queryMysql(
      url,
      `SELECT * FROM ${escapeId(name, true)}${name === '_tenancy_state' ? " WHERE type NOT IN ('marker', 'fence')" : ''}`,
    );
    add([name, rows.map((row) => JSON.stringify(row)).sort()]);
  }
  return hash.digest('hex');
}

const CATALOGUE = [
  `SELECT table_name, column_name, ordinal_position, column_type, is_nullable, column_default, extra, collation_name, generation_expression
     FROM information_schema.columns WHERE table_schema = ? ORDER BY 1, 3`,
  `SELECT table_name, index_name, seq_in_index, column_name, non_unique FROM information_schema.statistics WHERE table_schema = ? ORDER BY 1, 2, 3`,
  `SELECT table_name, view_definition, security_type, definer FROM information_schema.views WHERE table_schema = ? ORDER BY 1`,
  `SELECT trigger_name, event_manipulation, action_statement, definer FROM information_schema.triggers WHERE trigger_schema = ? ORDER BY 1`,
  `SELECT routine_name, routine_type, routine_definition, security_type, definer FROM information_schema.routines WHERE routine_schema = ? ORDER BY 1`,
  `SELECT event_name, event_definition, interval_value, status, definer FROM information_schema.events WHERE event_schema = ? ORDER BY 1`,
  `SELECT constraint_name, table_name, referenced_table_name, delete_rule FROM information_schema.referential_constraints WHERE constraint_schema = ? ORDER BY 1`,
  `SELECT table_name, auto_increment, table_comment, engine FROM information_schema.tables WHERE table_schema = ? AND table_name NOT LIKE '\\_tenancy%' ORDER BY 1`,
];
