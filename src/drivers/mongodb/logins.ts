import type { Document } from 'mongodb';
import { TenancyError } from '../../errors.js';
import { withMongodbLogin } from '../../util/mongodb-url.js';
import type { LoginDriver, MarkedLogins, TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import { bareMarker, describeOwner, isSameMarker, toMarker } from '../marker.js';
import { codeOf } from './classify.js';
import { type DatabaseUser, killSessionsOf, unlessForbidden } from './database-users.js';
import { type EngineContext, settleRetryable } from './engine-context.js';
import { homeOf } from './home.js';
import { checkLogin } from './login-check.js';

const never = new AbortController().signal;
const USER_NOT_FOUND = 11;
const MARKER = 'tenancy';
const MAJORITY = { writeConcern: { w: 'majority' } };

/**
 * Users defined in the tenant's own database, with `readWrite` there and nowhere else; whose they are says their `customData`, which they can't write. MongoDB takes
 * a password and no digest of SCRAM-SHA-256, so it goes over the wire, and the server's log blanks it.
 */
export function createLoginDriver(context: EngineContext): LoginDriver {
  const { client } = context;
  const rolesIn = (name: string): Document[] => [{ role: 'readWrite', db: name }];
  const customData = (target: TenantTarget): Document => ({ [MARKER]: bareMarker(target.marker) });

  const ourUsers = async (target: TenantTarget): Promise<readonly DatabaseUser[]> => {
    const answer = await client
      .db(target.name)
      .command({ usersInfo: loginNames(target.marker).logins.map((user) => ({ user, db: target.name })) });
    const users = (answer['users'] ?? []) as DatabaseUser[];
    return users.filter((user) => isOurs(user, target)).sort((a, b) => (a.user < b.user ? -1 : 1));
  };

  return {
    sends: 'the password itself',
    ensure: (target, { name, password }, signal) =>
      settleRetryable(context, signal, async () => {
        await requireOurs(context, target);
        const { users } = (await client.db(target.name).command({ usersInfo: { user: name, db: target.name } })) as {
          users?: DatabaseUser[];
        };
        const found = users?.[0];
        if (found !== undefined && !isOurs(found, target)) {
          throw new TenancyError('TENANCY_LOGIN_TAKEN', { tenant: target.marker.tenant, login: name });
        }
        const facts = { pwd: password, roles: rolesIn(target.name), customData: customData(target), ...MAJORITY };
        await client.db(target.name).command({ [found === undefined ? 'createUser' : 'updateUser']: name, ...facts });
        // It may have become another's home between the look and the user.
        await requireOurs(context, target).catch(async (error: unknown) => {
          await dropUser(context, target.name, name);
          throw error;
        });
        return found === undefined ? 'created' : 'changed';
      }),
    grant: (target, signal) =>
      settleRetryable(context, signal, async () => {
        await requireOurs(context, target);
        for (const { user } of await ourUsers(target)) await setRoles(context, target.name, user, rolesIn(target.name));
      }),
    check: (target, login, signal) => checkLogin(context, target, login, signal),
    lock: (target, names, signal) =>
      settleRetryable(context, signal, async () => {
        const found = (await ourUsers(target)).filter(({ user }) => names === null || names.includes(user));
        for (const { user } of found) await setRoles(context, target.name, user, []);
        await killSessionsOf(context, target.name, found);
        return found.map(({ user }) => user);
      }),
    unlock: (target, names, signal) =>
      settleRetryable(context, signal, async () => {
        await requireOurs(context, target);
        const found = (await ourUsers(target)).filter(({ user }) => names.includes(user));
        for (const { user } of found) await setRoles(context, target.name, user, rolesIn(target.name));
        return found.map(({ user }) => user);
      }),
    list: (target) =>
      settleRetryable(context, never, async () =>
        (await ourUsers(target)).map(({ user, roles }) => ({ name: user, isLocked: roles.length === 0 })),
      ),
    listMarked: (registry) => settleRetryable(context, never, () => listMarkedUsers(context, registry)),
    drop: (target, signal) =>
      settleRetryable(context, signal, async () => {
        const found = await ourUsers(target);
        for (const { user } of found) await dropUser(context, target.name, user);
        await killSessionsOf(context, target.name, found);
        return found.map(({ user }) => user);
      }),
    connectionUrl: (target, login) => withMongodbLogin(context.url, target.name, login),
  };
}

/** A user needs no database to be defined in one that isn't there: it has nothing then. */
async function listMarkedUsers({ client }: EngineContext, registry: string): Promise<readonly MarkedLogins[]> {
  const admin = client.db('admin');
  const answer = await unlessForbidden(
    admin.command({ usersInfo: { forAllDBs: true }, filter: { [`customData.${MARKER}.registry`]: registry } }),
  );
  const users = (answer?.['users'] ?? []) as readonly (Pick<DatabaseUser, 'user' | 'customData'> & { readonly db: string })[];
  if (users.length === 0) return [];
  const { databases } = await admin.command({ listDatabases: 1, nameOnly: true });
  const standing = new Set((databases as readonly { readonly name: string }[]).map(({ name }) => name));
  const found = new Map<string, MarkedLogins>();
  for (const { user, db, customData } of users) {
    const marker = toMarker((customData as Document | undefined)?.[MARKER]);
    if (marker === null || !loginNames(marker).logins.includes(user)) continue;
    const names = found.get(marker.operation)?.names ?? [];
    found.set(marker.operation, { names: [...names, user].sort(), home: db, marker: bareMarker(marker), isUnused: !standing.has(db) });
  }
  return [...found.values()];
}

function isOurs({ customData }: Pick<DatabaseUser, 'customData'>, { marker }: TenantTarget): boolean {
  const found = toMarker((customData as Document | undefined)?.[MARKER]);
  return found !== null && isSameMarker(found, marker);
}

async function requireOurs(context: EngineContext, target: TenantTarget): Promise<void> {
  const home = await homeOf(context, target.name).findOne({ _id: 'home' });
  if (home !== null && isSameMarker(home, target.marker) && home.status === 'ready') return;
  const owner = home === null ? 'is not there' : describeOwner(home, target.marker);
  throw new TenancyError('TENANCY_HOME_NOT_OURS', { tenant: target.marker.tenant, name: target.name, kind: 'database', owner });
}

async function setRoles({ client }: EngineContext, name: string, user: string, roles: readonly Document[]): Promise<void> {
  await client.db(name).command({ updateUser: user, roles, ...MAJORITY });
}

async function dropUser({ client }: EngineContext, name: string, user: string): Promise<void> {
  await unlessForbidden(
    client
      .db(name)
      .command({ dropUser: user, ...MAJORITY })
      .catch((error: unknown) => {
        if (codeOf(error) !== USER_NOT_FOUND) throw error;
      }),
  );
}
