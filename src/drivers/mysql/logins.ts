import { TenancyError } from '../../errors.js';
import { withMysqlLogin } from '../../util/mysql-url.js';
import type { LoginDriver, TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import { describeOwner } from '../marker.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, readRow, readRows, withConnection } from './engine-context.js';
import { withHomeLock } from './home-lock.js';
import { presenceOf, readHome } from './home-state.js';
import { ensureLedger, forgetAccount, listMarkedAccounts, readAccounts, recordAccount } from './ledger.js';
import { checkLogin } from './login-check.js';
import { identifiedBy } from './password-hash.js';
import { quoteAccount, quoteText } from './quote.js';
import { endSessionsOf } from './sessions.js';

/** Reading and writing, calling what migrations have made, and tables that go with the session. Nothing is made, and nothing passed on. */
const RIGHTS = 'SELECT, INSERT, UPDATE, DELETE, EXECUTE, CREATE TEMPORARY TABLES';
const EVERYWHERE = '%';

/**
 * ```
 * ledger: account of this home ──→ CREATE USER, with a hash ──→ GRANT on the one database
 * ```
 * MySQL's users bear no comment that all versions have, so the ledger says which are ours: entered before one is made. All under the home's lock, and only where the
 * home is this life of the tenant's.
 */
export function createLoginDriver(context: EngineContext): LoginDriver {
  const underLock = <T>(
    target: TenantTarget,
    signal: AbortSignal,
    use: (connection: ServerConnection, key: string) => Promise<T>,
  ): Promise<T> => withHomeLock(context, target, signal, async (connection) => use(connection, (await readHome(connection, target)).key));

  return {
    sends: 'a hash of it',
    ensure: (target, login, signal) =>
      underLock(target, signal, async (connection, key) => {
        await requireOurs(connection, target);
        await ensureLedger(context, connection);
        const isThere = await exists(connection, login.name);
        if (isThere && !(await isRecorded(connection, key, login.name))) {
          throw new TenancyError('TENANCY_LOGIN_TAKEN', { tenant: target.marker.tenant, login: login.name });
        }
        await recordAccount(connection, key, account(login.name));
        const user = quoteAccount(account(login.name));
        const how = identifiedBy(login.password, connection.isMariadb);
        await connection.send(`CREATE USER IF NOT EXISTS ${user} ${how}`);
        await connection.send(`${formatGrant(target, login.name)}; ALTER USER ${user} ${how} ACCOUNT UNLOCK`);
        return isThere ? 'changed' : 'created';
      }),
    grant: (target, signal) =>
      underLock(target, signal, async (connection, key) => {
        await requireOurs(connection, target);
        for (const { name } of await ourLogins(connection, target, key)) await connection.send(formatGrant(target, name));
      }),
    check: (target, login, signal) => checkLogin(context, target, login, signal),
    lock: (target, names, signal) =>
      underLock(target, signal, async (connection, key) => {
        const found = (await ourLogins(connection, target, key)).filter(({ name }) => names === null || names.includes(name));
        for (const { name } of found) await connection.send(`ALTER USER ${quoteAccount(account(name))} ACCOUNT LOCK`);
        const locked = found.map(({ name }) => name);
        await endSessionsOf(connection, locked);
        return locked;
      }),
    unlock: (target, names, signal) =>
      underLock(target, signal, async (connection, key) => {
        await requireOurs(connection, target);
        const found = (await ourLogins(connection, target, key)).filter(({ name }) => names.includes(name));
        for (const { name } of found) {
          await connection.send(`${formatGrant(target, name)}; ALTER USER ${quoteAccount(account(name))} ACCOUNT UNLOCK`);
        }
        return found.map(({ name }) => name);
      }),
    list: (target) =>
      withConnection(context, undefined, async (connection) => ourLogins(connection, target, (await readHome(connection, target)).key)),
    listMarked: (registry) => withConnection(context, undefined, (connection) => listMarkedAccounts(connection, registry)),
    drop: (target, signal) =>
      underLock(target, signal, async (connection, key) => {
        const names = (await ourLogins(connection, target, key)).map(({ name }) => name);
        for (const name of names) {
          await connection.send(`DROP USER IF EXISTS ${quoteAccount(account(name))}`);
          await forgetAccount(connection, key, account(name));
        }
        // A session outlives its user. They may have gone with the home already.
        await endSessionsOf(connection, loginNames(target.marker).logins);
        return names;
      }),
    connectionUrl: (target, login) => withMysqlLogin(context.url, target.name, login),
  };
}

function account(user: string): { readonly user: string; readonly host: string } {
  return { user, host: EVERYWHERE };
}

/** In a GRANT `_` and `%` stand for any character and any text, so that `tenant_a` would be `tenantXa` too. */
function formatGrant({ name }: TenantTarget, login: string): string {
  const pattern = name.replaceAll('`', '``').replace(/[\\_%]/g, '\\$&');
  return `GRANT ${RIGHTS} ON \`${pattern}\`.* TO ${quoteAccount(account(login))}`;
}

async function requireOurs(connection: ServerConnection, target: TenantTarget): Promise<void> {
  const home = await readHome(connection, target);
  if (presenceOf(home, target).status === 'ours') return;
  const owner = home.exists ? describeOwner(home.marker, target.marker) : 'is not there';
  throw new TenancyError('TENANCY_HOME_NOT_OURS', { tenant: target.marker.tenant, name: target.name, kind: 'database', owner });
}

async function exists(connection: ServerConnection, user: string): Promise<boolean> {
  const sql = 'SELECT 1 FROM mysql.user WHERE User = ? AND Host = ?';
  return (await readRow(connection, sql, [user, EVERYWHERE])) !== undefined;
}

async function isRecorded(connection: ServerConnection, key: string, name: string): Promise<boolean> {
  return (await readAccounts(connection, key)).some(({ user, host }) => user === name && host === EVERYWHERE);
}

async function ourLogins(
  connection: ServerConnection,
  target: TenantTarget,
  key: string,
): Promise<readonly { readonly name: string; readonly isLocked: boolean }[]> {
  const { logins } = loginNames(target.marker);
  const recorded = (await readAccounts(connection, key)).map(({ user }) => user);
  const found: { name: string; isLocked: boolean }[] = [];
  for (const name of logins) {
    if (!recorded.includes(name) || !(await exists(connection, name))) continue;
    const rows = await readRows(connection, `SHOW CREATE USER ${quoteText(name)}@${quoteText(EVERYWHERE)}`);
    const isLocked = / ACCOUNT LOCK\b/.test(String(Object.values(rows[0] ?? {})[0] ?? ''));
    found.push({ name, isLocked });
  }
  return found;
}
