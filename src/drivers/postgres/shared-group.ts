import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import { databaseOf } from './cluster-url.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { quoteName, quoteText } from './quote.js';

/**
 * The one group that all schema tenants of a registry are members of, and that may connect to the database that they share. What is granted on that database is
 * granted once, to it: two sessions that grant on one database at the same time fail (XX000, tuple concurrently updated).
 *
 * Its existence says that the database has been made fit for strangers: the schema `public` is closed to them, see `closePublic`.
 */
export async function ensureSharedGroup(context: EngineContext, registry: string, signal: AbortSignal): Promise<string> {
  const database = databaseOf(context.url);
  const name = sharedGroupName(registry, database);
  if (context.ensuredGroups.has(name)) return name;
  await withClient(context, null, signal, (client) =>
    settleRaces(
      signal,
      () => false,
      () => makeGroup(context, client, { name, registry, database }),
    ),
  );
  context.ensuredGroups.add(name);
  return name;
}

function sharedGroupName(registry: string, database: string): string {
  return `t_all_${createHash('sha256').update(`${registry}\n${database}`).digest('hex').slice(0, 20)}`;
}

interface SharedGroup {
  readonly name: string;
  readonly registry: string;
  readonly database: string;
}

async function makeGroup({ extensionsSchema }: EngineContext, client: Client, { name, registry, database }: SharedGroup): Promise<void> {
  const marker = `tenancy:${JSON.stringify({ registry, database, group: 'tenants' })}`;
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1`,
    [name],
  );
  const found = rows[0];
  if (found !== undefined) {
    if (found.comment === marker) return;
    throw new TenancyError('TENANCY_LOGIN_TAKEN', { tenant: '*', login: name });
  }
  const group = quoteName(name);
  const extensions = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [extensionsSchema]);
  const closing = await closePublic(client);
  await sendTransaction(
    client,
    [
      `SELECT pg_advisory_xact_lock(hashtextextended('tenancy:shared-group', 0))`,
      `CREATE ROLE ${group} NOLOGIN`,
      `COMMENT ON ROLE ${group} IS ${quoteText(marker)}`,
      `GRANT CONNECT, TEMPORARY ON DATABASE ${quoteName(database)} TO ${group}`,
      ...(extensions.rowCount === 0 ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(extensionsSchema)} TO ${group}`]),
      ...closing,
    ].join('; '),
  ).catch((error: unknown) => {
    // Another process made it at the same moment; what it did is the same.
    if (!isDuplicate(error)) throw error;
  });
}

function isDuplicate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '42710' || error.code === '23505');
}

/** Whoever owns something in this database, or was given something on or in it; without superusers, PostgreSQL's own roles and ours. */
const READ_OTHERS = `
  SELECT rolname AS name FROM pg_roles r
   WHERE NOT rolsuper AND rolname !~ '^pg_' AND coalesce(shobj_description(oid, 'pg_authid'), '') NOT LIKE 'tenancy:{%'
     AND (rolname = current_user OR EXISTS (
       SELECT FROM pg_shdepend s, pg_database d WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND d.datname = current_database()
          AND (s.dbid = d.oid OR s.classid = 'pg_database'::regclass AND s.objid = d.oid)))
   ORDER BY rolname`;

const IS_OPEN = `
  SELECT a.privilege_type AS privilege FROM pg_namespace n CROSS JOIN LATERAL aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
   WHERE nspname = 'public' AND a.grantee = 0`;

/**
 * Nobody may make anything in `public`, and no tenant's login looks into it. Whoever has something in this database (the application's own logins) keeps the right to use
 * it, given by name: a role that comes later has to be given it.
 */
async function closePublic(client: Client): Promise<string[]> {
  const { rows: open } = await client.query<{ privilege: string }>(IS_OPEN);
  const statements: string[] = [];
  if (open.some(({ privilege }) => privilege === 'CREATE')) statements.push('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  if (open.some(({ privilege }) => privilege === 'USAGE')) {
    const { rows: others } = await client.query<{ name: string }>(READ_OTHERS);
    if (others.length > 0) statements.push(`GRANT USAGE ON SCHEMA public TO ${others.map(({ name }) => quoteName(name)).join(', ')}`);
    statements.push('REVOKE USAGE ON SCHEMA public FROM PUBLIC');
  }
  return statements;
}
