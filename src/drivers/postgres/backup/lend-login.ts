import { createHash, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { registerSecret } from '../../../util/redact.js';
import type { TenantTarget } from '../../driver.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from '../engine-context.js';
import { formatMarker } from '../marker.js';
import { quoteName, quoteText } from '../quote.js';
import { scramVerifier } from '../scram.js';
import type { Login } from './libpq-environment.js';

/** For one that nobody comes to drop. */
const VALID_FOR = '1 day';
const TERMINATE_MS = 5_000;

/** `dump` may read everything and write nothing; `load` may do as it likes where it is told to, and nothing elsewhere. */
export type LoginPurpose = 'dump' | 'load';

/** Names of one operation on one tenant: who finds them knows whose they are, and a second attempt finds the first one's. */
export function loginName({ marker }: TenantTarget, purpose: LoginPurpose): string {
  const digest = createHash('sha256').update(`${marker.registry}\n${marker.tenant}\n${marker.operation}`).digest('hex');
  return `tenancy_${purpose}_${digest.slice(0, 24)}`;
}

/** Shown in pg_stat_activity, and how a session that outlived its tool's caller is known. */
export function applicationName(target: TenantTarget, purpose: LoginPurpose): string {
  return loginName(target, purpose);
}

/**
 * A superuser's session runs whatever code a tenant's objects have (a view in the place of a table, a default, an index expression: CVE-2024-7348,
 * CVE-2025-8714) with all rights there are, and `SET ROLE` doesn't help: such code says RESET ROLE. So the tools log in as a role made for it that
 * is no superuser, and that is gone afterwards. Where the cluster's login is no superuser the tools log in as that: null.
 *
 * `use` gets a login that can enter the database, and `grants`, statements that are run before, in that database.
 */
export async function withLogin<T>(
  context: EngineContext,
  target: TenantTarget,
  {
    purpose,
    database,
    grants,
    signal,
  }: {
    readonly purpose: LoginPurpose;
    /** Null: the one that the cluster's URL names. */
    readonly database: string | null;
    readonly grants: (role: string) => readonly string[];
    readonly signal: AbortSignal;
  },
  use: (login: Login | null) => Promise<T>,
): Promise<T> {
  if (!(await withClient(context, null, signal, isSuperuser))) return use(null);
  const user = loginName(target, purpose);
  const password = randomBytes(24).toString('base64url');
  registerSecret(password);
  const login = { user, password };
  try {
    await withClient(context, database, signal, (client) =>
      settleRaces(
        signal,
        () => false,
        async () => {
          await dropRole(client, user);
          await sendTransaction(client, [...(await createRole(client, target, login, purpose)), ...grants(quoteName(user))].join('; '));
        },
      ),
    );
    return await use(login);
  } finally {
    // Also after an abort, and where the database has gone meanwhile.
    const undo = (where: string | null): Promise<void> => withClient(context, where, undefined, (client) => forgetRole(client, user));
    await undo(database).catch(() => undo(null).catch(() => undefined));
  }
}

async function createRole(
  client: Client,
  { marker }: TenantTarget,
  { user, password }: Login,
  purpose: LoginPurpose,
): Promise<readonly string[]> {
  const { rows } = await client.query<{ until: string; database: string; can_connect: boolean }>(
    `SELECT (clock_timestamp() + interval '${VALID_FOR}')::text AS until, current_database() AS database,
            EXISTS (SELECT FROM pg_database CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) a
                     WHERE datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'CONNECT') AS can_connect`,
  );
  const [row] = rows;
  const role = quoteName(user);
  return [
    // Row security would leave rows out, or fail the dump.
    `CREATE ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS VALID UNTIL ${quoteText(row?.until ?? '')} PASSWORD ${quoteText(await scramVerifier(password))}`,
    `COMMENT ON ROLE ${role} IS ${quoteText(formatMarker(marker))}`,
    // Large objects have rights of their own, which pg_read_all_data doesn't include.
    ...(purpose === 'dump' ? [`GRANT pg_read_all_data TO ${role}`, `ALTER ROLE ${role} SET lo_compat_privileges = on`] : []),
    ...(row?.can_connect === true ? [] : [`GRANT CONNECT ON DATABASE ${quoteName(row?.database ?? '')} TO ${role}`]),
  ];
}

async function isSuperuser(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ is_superuser: boolean }>(
    'SELECT rolsuper AS is_superuser FROM pg_roles WHERE rolname = current_user',
  );
  return rows[0]?.is_superuser === true;
}

/** What it made stays, as the cluster's login's own. */
async function forgetRole(client: Client, role: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0) return;
  await endSessions(client, role);
  const name = quoteName(role);
  await settleRaces(
    new AbortController().signal,
    () => false,
    () => sendTransaction(client, `REASSIGN OWNED BY ${name} TO CURRENT_USER; DROP OWNED BY ${name}; DROP ROLE ${name}`),
  );
}

/** Of an attempt that was killed; it may own what is in other databases only where these are dropped as well. */
async function dropRole(client: Client, role: string): Promise<void> {
  await forgetRole(client, role);
}

/** The sessions of a tool that outlived who had started it. */
async function endSessions(client: Client, application: string): Promise<void> {
  await client.query(
    `SELECT pg_terminate_backend(pid, ${TERMINATE_MS}) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()`,
    [application],
  );
}

/** What an earlier attempt may have left: sessions that still write, and roles. */
export async function sweepLogins(
  context: EngineContext,
  target: TenantTarget,
  database: string | null,
  signal: AbortSignal,
): Promise<void> {
  await withClient(context, database, signal, async (client) => {
    for (const purpose of ['dump', 'load'] as const) {
      await endSessions(client, applicationName(target, purpose));
      await forgetRole(client, loginName(target, purpose));
    }
  });
}
