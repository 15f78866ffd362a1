import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { AccessChange, TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { readHome } from './database-state.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { type ConnectGrant, formatMarker, type MarkerComment } from './marker.js';
import { quoteName, quoteText } from './quote.js';

const TERMINATE_TIMEOUT_MS = 5_000;
const NAMED = 5;

/**
 * Takes CONNECT from everybody it was granted to but the owner, and ends the sessions of those who may no longer connect.
 * What was taken is written into the marker's comment in the same transaction, so that `restoreAccess` gives back just that.
 *
 * Not `ALLOW_CONNECTIONS false`, which would also lock out superusers, backups and the migrations of a suspended tenant.
 */
export async function cutDatabaseAccess(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<AccessChange> {
  await context.budget.closeIdle(target.name);
  return withClient(context, null, signal, async (client) => {
    const { home, draft, dropping } = await readHome(client, target);
    // Nobody is let into what is half made or half dropped, and it may be gone the next moment.
    if (home === null && (draft ?? dropping) !== null) return { isEnforced: true, detail: 'it was being made or dropped: nobody uses it' };
    await settleRaces(
      signal,
      () => false,
      async () => {
        const marker = await readOurs(client, target);
        const granted = await readConnectGrants(client, target.name);
        const cut = mergeGrants(marker.cut ?? [], granted);
        const revokes = granted.map(({ role }) => `REVOKE CONNECT ON DATABASE ${quoteName(target.name)} FROM ${quoteRole(role)} CASCADE`);
        await sendTransaction(client, [writeMarker(target.name, { ...marker, cut }), ...revokes].join('; '));
      },
    );
    await endSessions(client, target.name);
    return describeAccess(client, target.name);
  });
}

export async function restoreDatabaseAccess(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<AccessChange> {
  return withClient(context, null, signal, async (client) => {
    return settleRaces(
      signal,
      () => false,
      async () => {
        const { cut, ...marker } = await readOurs(client, target);
        if (cut === undefined) return { isEnforced: true, detail: 'nothing had been taken away' };
        const roles = await readRoles(client);
        const grants = cut
          .filter(({ role }) => role === null || roles.has(role))
          .map(
            ({ role, isGrantable }) =>
              `GRANT CONNECT ON DATABASE ${quoteName(target.name)} TO ${quoteRole(role)}${isGrantable ? ' WITH GRANT OPTION' : ''}`,
          );
        await sendTransaction(client, [writeMarker(target.name, marker), ...grants].join('; '));
        return { isEnforced: true, detail: `CONNECT was given back to ${listNames(cut.map(({ role }) => role ?? 'PUBLIC'))}` };
      },
    );
  });
}

async function readOurs(client: Client, target: TenantTarget): Promise<MarkerComment> {
  const { home } = await readHome(client, target);
  if (home?.marker != null && isSameMarker(home.marker, target.marker)) return home.marker;
  const owner = home === null ? 'is not there' : describeOwner(home.marker, target.marker);
  throw new TenancyError('TENANCY_ACCESS_REFUSED', { name: target.name, kind: 'database', owner });
}

/** The owner keeps it: it may give it to itself again at any time, and it is most often the one that migrates. */
const READ_GRANTS = `
  SELECT r.rolname AS role, bool_or(a.is_grantable) AS is_grantable
    FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
   WHERE datname = $1 AND a.privilege_type = 'CONNECT' AND a.grantee <> datdba AND (a.grantee = 0 OR r.oid IS NOT NULL)
   GROUP BY r.rolname ORDER BY r.rolname NULLS FIRST`;

async function readConnectGrants(client: Client, database: string): Promise<ConnectGrant[]> {
  const { rows } = await client.query<{ role: string | null; is_grantable: boolean }>(READ_GRANTS, [database]);
  return rows.map(({ role, is_grantable }) => ({ role, isGrantable: is_grantable }));
}

/** A second cut, after a crash or after somebody granted again, adds to what the first one took. */
function mergeGrants(known: readonly ConnectGrant[], found: readonly ConnectGrant[]): ConnectGrant[] {
  return [...known.filter(({ role }) => !found.some((grant) => grant.role === role)), ...found];
}

const END_SESSIONS = `
  SELECT pg_terminate_backend(pid, ${TERMINATE_TIMEOUT_MS}) FROM pg_stat_activity
   WHERE datname = $1 AND pid <> pg_backend_pid() AND usesysid IS NOT NULL AND NOT has_database_privilege(usesysid, datid, 'CONNECT')`;

async function endSessions(client: Client, database: string): Promise<void> {
  await client.query(END_SESSIONS, [database]);
}

const READ_LOGINS = `
  SELECT rolname AS name, has_database_privilege(r.oid, d.oid, 'CONNECT') AS can_connect
    FROM pg_roles r, pg_database d WHERE datname = $1 AND rolcanlogin ORDER BY rolname`;

/** Enforced where somebody is shut out; a server on which every login is the owner or a superuser shuts out nobody. */
async function describeAccess(client: Client, database: string): Promise<AccessChange> {
  const { rows } = await client.query<{ name: string; can_connect: boolean }>(READ_LOGINS, [database]);
  const left = rows.filter(({ can_connect }) => can_connect).map(({ name }) => name);
  return describeChange(left, left.length < rows.length);
}

function describeChange(left: readonly string[], isEnforced: boolean): AccessChange {
  const remaining = `${listNames(left)} can still connect, as its owner or a superuser`;
  return {
    isEnforced,
    detail: isEnforced ? `CONNECT was taken away; ${remaining}` : `every login of this server is its owner or a superuser: ${remaining}`,
  };
}

const READ_SHUT_OUT = `
  SELECT rolname AS name, rolsuper OR pg_has_role(r.oid, d.datdba, 'USAGE') AS keeps_access
    FROM pg_roles r, pg_database d WHERE datname = $1 AND rolcanlogin ORDER BY rolname`;

/** Whom a cut would leave: superusers, and who is the owner or may act as it. */
export async function planDatabaseCut(context: EngineContext, target: TenantTarget): Promise<AccessChange> {
  return withClient(context, null, undefined, async (client) => {
    const { rows } = await client.query<{ name: string; keeps_access: boolean }>(READ_SHUT_OUT, [target.name]);
    const left = rows.filter(({ keeps_access }) => keeps_access).map(({ name }) => name);
    return describeChange(left, left.length < rows.length);
  });
}

async function readRoles(client: Client): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ rolname: string }>('SELECT rolname FROM pg_roles');
  return new Set(rows.map(({ rolname }) => rolname));
}

function writeMarker(database: string, marker: MarkerComment): string {
  return `COMMENT ON DATABASE ${quoteName(database)} IS ${quoteText(formatMarker(marker))}`;
}

function quoteRole(role: string | null): string {
  return role === null ? 'PUBLIC' : quoteName(role);
}

function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'nobody';
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
