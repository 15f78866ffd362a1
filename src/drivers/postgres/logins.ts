import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { LoginCredential, LoginDriver, TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import { databaseOf, withDatabase, withLogin } from './cluster-url.js';
import { codeOf, type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { checkLogin } from './login-check.js';
import { formatGrants } from './login-grants.js';
import { assertHome, type LoginHome, refuseOtherHome } from './login-home.js';
import { endSessions, readRoles, refuseStrangers, type TenantRole } from './login-roles.js';
import { listMarkedLogins } from './marked-logins.js';
import { markerPrefix } from './marker.js';
import { quoteName, quotePath, quoteText } from './quote.js';
import { scramVerifier } from './scram.js';
import { ensureSharedGroup } from './shared-group.js';

/** Somebody was faster to make or to drop a role. */
const RACES: ReadonlySet<string> = new Set(['42710', '42704']);
const DEPENDENT_OBJECTS = '2BP01';
const SCHEMA_GONE = '3F000';

/**
 * ```
 * t_x      NOLOGIN   holds every right on the home; a member of the one group that may connect to the shared database
 * t_x_a    LOGIN     a member of t_x, and nothing else
 * t_x_b    LOGIN     takes its turn with t_x_a: rotating a credential touches no object of the tenant's
 * ```
 * Made, marked and given their rights in one transaction, which fails where the home has become another's.
 */
export function createLoginDriver(context: EngineContext, homeOf: (target: TenantTarget) => LoginHome): LoginDriver {
  const settle = <T>(target: TenantTarget, signal: AbortSignal, use: (client: Client, home: LoginHome) => Promise<T>): Promise<T> => {
    const home = homeOf(target);
    return withClient(context, home.database, signal, (client) =>
      settleRaces(
        signal,
        (code) => RACES.has(code),
        () => refuseOtherHome(target, home, () => use(client, home)),
      ),
    );
  };

  return {
    sends: 'a SCRAM-SHA-256 verifier',
    ensure: async (target, login, signal) => {
      const verifier = await scramVerifier(login.password);
      const home = homeOf(target);
      const shared = home.schema === null ? null : await ensureSharedGroup(context, target.marker.registry, signal);
      return settle(target, signal, async (client) => {
        const roles = await readRoles(client, target);
        refuseStrangers(target, roles);
        const { group } = loginNames(target.marker);
        const statements = [
          assertHome(target, home),
          ...(roles.has(group) ? [] : makeGroup(target, shared)),
          ...(roles.has(login.name) ? [] : makeLogin(target, login.name)),
          ...(await formatGrants(client, target, home)),
          `ALTER ROLE ${quoteName(login.name)} LOGIN PASSWORD ${quoteText(verifier)}`,
          ...settings(context, target, home, login.name),
        ];
        await sendTransaction(client, statements.join('; '));
        return roles.has(login.name) ? 'changed' : 'created';
      });
    },
    grant: (target, signal) =>
      settle(target, signal, async (client, home) => {
        if (!(await readRoles(client, target)).has(loginNames(target.marker).group)) return;
        await sendTransaction(client, [assertHome(target, home), ...(await formatGrants(client, target, home))].join('; '));
      }),
    check: (target, login, signal) => checkLogin(context, target, homeOf(target), login, connectionUrl(target, login), signal),
    lock: (target, names, signal) =>
      withClient(context, null, signal, (client) =>
        settleRaces(
          signal,
          (code) => code === SCHEMA_GONE,
          async () => {
            const found = (await ourLogins(client, target)).filter(({ name }) => names === null || names.includes(name));
            const { schema } = homeOf(target);
            const group = quoteName(loginNames(target.marker).group);
            // Who came in just before has no way into the schema any more, even until the session is ended.
            // Where the home is retained it has another name, and where it is being dropped none.
            const isOpen = names === null && schema !== null && found.length > 0 && (await hasSchema(client, schema));
            const closing = isOpen ? [`REVOKE USAGE ON SCHEMA ${quoteName(schema)} FROM ${group}`] : [];
            const locks = found.map(({ name }) => `ALTER ROLE ${quoteName(name)} NOLOGIN`);
            if (locks.length > 0) await sendTransaction(client, [...locks, ...closing].join('; '));
            const locked = found.map(({ name }) => name);
            await endSessions(client, locked, signal);
            return locked;
          },
        ),
      ),
    unlock: (target, names, signal) =>
      settle(target, signal, async (client, home) => {
        const found = (await ourLogins(client, target)).map(({ name }) => name).filter((name) => names.includes(name));
        if (found.length === 0) return found;
        const unlocks = found.map((name) => `ALTER ROLE ${quoteName(name)} LOGIN`);
        await sendTransaction(client, [assertHome(target, home), ...(await formatGrants(client, target, home)), ...unlocks].join('; '));
        return found;
      }),
    list: (target) => withClient(context, null, undefined, (client) => ourLogins(client, target)),
    listMarked: (registry) => withClient(context, null, undefined, (client) => listMarkedLogins(client, registry)),
    drop: (target, signal) => dropRoles(context, target, homeOf(target), signal),
    connectionUrl,
  };

  function connectionUrl(target: TenantTarget, login: LoginCredential): string {
    const { database } = homeOf(target);
    return withLogin(database === null ? context.url : withDatabase(context.url, database), login);
  }
}

async function ourLogins(client: Client, target: TenantTarget): Promise<readonly { readonly name: string; readonly isLocked: boolean }[]> {
  const roles = [...(await readRoles(client, target)).values()];
  const { group } = loginNames(target.marker);
  return roles.filter(({ name, isOurs }) => isOurs && name !== group).map(({ name, canLogin }) => ({ name, isLocked: !canLogin }));
}

async function hasSchema(client: Client, name: string): Promise<boolean> {
  return (await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [name])).rowCount === 1;
}

function makeGroup(target: TenantTarget, shared: string | null): string[] {
  const { group } = loginNames(target.marker);
  const name = quoteName(group);
  return [...makeRole(target, group), ...(shared === null ? [] : [`GRANT ${quoteName(shared)} TO ${name}`])];
}

function makeLogin(target: TenantTarget, login: string): string[] {
  return [...makeRole(target, login), `GRANT ${quoteName(loginNames(target.marker).group)} TO ${quoteName(login)}`];
}

/** Nobody can log in yet. Whoever isn't a superuser becomes a member, without which neither sessions could be ended nor the role be dropped one day. */
function makeRole(target: TenantTarget, role: string): string[] {
  const name = quoteName(role);
  return [
    `CREATE ROLE ${name} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT`,
    `COMMENT ON ROLE ${name} IS ${quoteText(`${markerPrefix(target.marker)}}`)}`,
    `DO $$ BEGIN IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN GRANT ${name} TO CURRENT_USER; END IF; END $$`,
  ];
}

function settings(
  { url, extensionsSchema }: EngineContext,
  { name }: TenantTarget,
  { schema, database }: LoginHome,
  login: string,
): string[] {
  if (schema === null) return [];
  const place = `ROLE ${quoteName(login)} IN DATABASE ${quoteName(database ?? databaseOf(url))}`;
  return [`ALTER ${place} SET search_path TO ${quotePath([name, extensionsSchema])}`];
}

/** In the home's database where it still stands: what a role owns or was given in another one would keep it from being dropped. */
async function dropRoles(context: EngineContext, target: TenantTarget, home: LoginHome, signal: AbortSignal): Promise<readonly string[]> {
  const readOurs = async (client: Client): Promise<TenantRole[]> =>
    [...(await readRoles(client, target)).values()].filter(({ isOurs }) => isOurs);
  return withClient(context, null, signal, (client) =>
    settleRaces(
      signal,
      (code) => RACES.has(code),
      async () => {
        const roles = await readOurs(client);
        if (roles.length === 0) return [];
        const names = roles.map(({ name }) => name);
        const logins = names.filter((name) => name !== loginNames(target.marker).group);
        const locks = logins.map((name) => `ALTER ROLE ${quoteName(name)} NOLOGIN`);
        if (locks.length > 0) await sendTransaction(client, locks.join('; '));
        await endSessions(client, logins, signal);
        const list = names.map(quoteName).join(', ');
        // What lives in the schema has gone with it; this is for large objects, and for rights on what is shared.
        const owned = home.database === null ? [`DROP OWNED BY ${list}`] : [];
        try {
          await sendTransaction(client, [...owned, `DROP ROLE ${list}`].join('; '));
        } catch (error) {
          if (codeOf(error) !== DEPENDENT_OBJECTS) throw error;
          const { message, detail } = error as Error & { readonly detail?: string };
          const reason = (detail ?? message).split('\n').slice(0, 5).join('; ');
          throw new TenancyError(
            'TENANCY_LOGIN_IN_USE',
            { tenant: target.marker.tenant, login: logins[0] ?? list, reason },
            { cause: error },
          );
        }
        return logins;
      },
    ),
  );
}
