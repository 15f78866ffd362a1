import type { Client } from 'pg';
import type { TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import type { LoginHome } from './login-home.js';
import { historyTables } from './migrate/history-sql.js';
import { quoteName } from './quote.js';

const ON_TABLES = 'SELECT, INSERT, UPDATE, DELETE';
const ON_SEQUENCES = 'USAGE, SELECT';
/** Our history in a database of the tenant's own. */
const HISTORY_SCHEMA = '_tenancy';

/**
 * What a tenant's group may do: use its schemas, and read and write what is in them now and what the login that migrates will make. It owns
 * nothing, makes nothing, and passes nothing on. Our history is made beforehand, so that it isn't among what is given by default.
 */
export async function formatGrants(client: Client, target: TenantTarget, home: LoginHome): Promise<string[]> {
  return home.schema === null ? grantsOnDatabase(client, target) : grantsOnSchema(target, home.schema);
}

function grantsOnSchema(target: TenantTarget, schema: string): string[] {
  const group = quoteName(loginNames(target.marker).group);
  const name = quoteName(schema);
  const byDefault = `ALTER DEFAULT PRIVILEGES IN SCHEMA ${name} GRANT`;
  return [
    ...historyTables(schema, false),
    `GRANT USAGE ON SCHEMA ${name} TO ${group}`,
    ...grantsOnContents(name, group),
    `${byDefault} ${ON_TABLES} ON TABLES TO ${group}`,
    `${byDefault} ${ON_SEQUENCES} ON SEQUENCES TO ${group}`,
    `REVOKE ALL ON ${name}._tenancy_migrations, ${name}._tenancy_state FROM ${group}`,
    // The application may ask which version it has before it.
    `GRANT SELECT ON ${name}._tenancy_migrations TO ${group}`,
  ];
}

/** PostgreSQL's own schemas, and ours, are left out. */
const READ_SCHEMAS = `
  SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '${HISTORY_SCHEMA}') ORDER BY nspname`;

async function grantsOnDatabase(client: Client, target: TenantTarget): Promise<string[]> {
  const group = quoteName(loginNames(target.marker).group);
  const database = quoteName(target.name);
  const { rows } = await client.query<{ name: string }>(READ_SCHEMAS);
  const schemas = rows.map(({ name }) => quoteName(name));
  return [
    ...historyTables(HISTORY_SCHEMA, true),
    `REVOKE CONNECT, TEMPORARY ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${group}`,
    ...schemas.flatMap((name) => [
      `REVOKE CREATE ON SCHEMA ${name} FROM PUBLIC`,
      `GRANT USAGE ON SCHEMA ${name} TO ${group}`,
      ...grantsOnContents(name, group),
    ]),
    `ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO ${group}`,
    `ALTER DEFAULT PRIVILEGES GRANT ${ON_TABLES} ON TABLES TO ${group}`,
    `ALTER DEFAULT PRIVILEGES GRANT ${ON_SEQUENCES} ON SEQUENCES TO ${group}`,
  ];
}

function grantsOnContents(schema: string, group: string): string[] {
  return [
    `GRANT ${ON_TABLES} ON ALL TABLES IN SCHEMA ${schema} TO ${group}`,
    `GRANT ${ON_SEQUENCES} ON ALL SEQUENCES IN SCHEMA ${schema} TO ${group}`,
  ];
}
