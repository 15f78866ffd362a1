import { createHash } from 'node:crypto';
import { escapeId } from 'mysql2/promise';
import { queryMysql } from './mysql.js';
import { withDatabase } from './postgres.js';

/** Everything in a tenant's database that somebody could miss: what the server and our ledger say of it, its tables, routines and events, every row. */
export async function checksumMysqlHome(serverUrl: string, name: string): Promise<string> {
  const url = withDatabase(serverUrl, name);
  const hash = createHash('sha256');
  for (const sql of ABOUT) hash.update(JSON.stringify(await queryMysql(url, sql)));
  const tables = await queryMysql<{ name: string; type: string }>(
    url,
    'SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY BINARY TABLE_NAME',
  );
  for (const table of tables) {
    hash.update(JSON.stringify(await queryMysql(url, `SHOW CREATE TABLE ${escapeId(table.name, true)}`)));
    if (table.type !== 'BASE TABLE') continue;
    const rows = await queryMysql(url, `SELECT * FROM ${escapeId(table.name, true)}`);
    hash.update(
      rows
        .map((row) => JSON.stringify(row))
        .sort()
        .join('\n'),
    );
  }
  return hash.digest('hex');
}

const ABOUT = [
  'SELECT * FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()',
  'SELECT name, tenant, registry, operation, state, cut FROM _tenancy.homes WHERE name = DATABASE()',
  'SELECT home, user, host FROM _tenancy.accounts WHERE home = DATABASE() ORDER BY user, host',
  'SELECT Db, User, Host FROM mysql.db WHERE DATABASE() LIKE Db ORDER BY 1, 2, 3',
  'SELECT ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1, 2',
  'SELECT EVENT_NAME, EVENT_DEFINITION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1',
  'SELECT TRIGGER_NAME, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1',
];
