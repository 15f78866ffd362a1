import type { Document } from 'mongodb';
import { type EngineContext, isForbidden } from './engine-context.js';
import type { UserRoles } from './home.js';

export interface DatabaseUser extends UserRoles {
  readonly db: string;
  /** Kept with the user, out of reach of whoever may only read and write the database. */
  readonly customData: Document;
}

/** Users defined in a database, with their roles. Null where the login may not look, or the service keeps users elsewhere (Atlas). */
export async function readUsersOf({ client }: EngineContext, name: string): Promise<readonly DatabaseUser[] | null> {
  const answer = await unlessForbidden(client.db(name).command({ usersInfo: 1 }));
  return answer === null ? null : toUsers(answer);
}

/**
 * Users and roles outlive their database (Manual, dropDatabase), and so do roles on it that users of other databases have: the next tenant
 * of that name would be open to them. Where the login may not touch users, they are left, as the driver's caveats say.
 *
 * `check` throws where the database isn't what it was any more. Nothing here names a home, and so the server can't compare it with the write: it is looked
 * at right before each, so that of a process that stood still no more than one reaches the next life of the name.
 */
export async function dropUsersOf(context: EngineContext, name: string, check: () => Promise<unknown>): Promise<void> {
  const { client } = context;
  const [users, strangers] = await Promise.all([readUsersOf(context, name), readStrangers(context, name)]);
  if (users !== null && users.length > 0) {
    await check();
    await unlessForbidden(client.db(name).command({ dropAllUsersFromDatabase: 1 }));
    await check();
    await killSessionsOf(context, name, users);
  }
  await check();
  await unlessForbidden(client.db(name).command({ dropAllRolesFromDatabase: 1 }));
  for (const { user, db, roles } of strangers) {
    await check();
    await unlessForbidden(client.db(db).command({ revokeRolesFromUser: user, roles: roles.filter((role) => role.db === name) }));
  }
}

/** The names of users that a dropped database has left behind. */
export async function findLeftUsers(context: EngineContext, name: string): Promise<readonly string[]> {
  const [users, strangers] = await Promise.all([readUsersOf(context, name), readStrangers(context, name)]);
  return [...(users ?? []).map(({ user }) => `${user}@${name}`), ...strangers.map(({ user, db }) => `${user}@${db}`)];
}

/** Ends what these users are running. Their connections stay, and are refused from now on what they have no role for. */
export async function killSessionsOf({ client }: EngineContext, name: string, users: readonly Pick<UserRoles, 'user'>[]): Promise<boolean> {
  if (users.length === 0) return true;
  return (await unlessForbidden(client.db('admin').command({ killAllSessions: users.map(({ user }) => ({ user, db: name })) }))) !== null;
}

/** Users of other databases that have roles on this one. */
export async function readStrangers({ client }: EngineContext, name: string): Promise<readonly DatabaseUser[]> {
  const answer = await unlessForbidden(client.db('admin').command({ usersInfo: { forAllDBs: true }, filter: { 'roles.db': name } }));
  return answer === null ? [] : toUsers(answer).filter(({ db, roles }) => db !== name && roles.some((role) => role.db === name));
}

function toUsers({ users }: Document): DatabaseUser[] {
  return (users as Document[]).map(({ user, db, roles, customData }) => ({
    user: String(user),
    db: String(db),
    customData: (customData ?? {}) as Document,
    roles: ((roles ?? []) as Document[]).map((role) => ({ role: String(role['role']), db: String(role['db']) })),
  }));
}

export async function unlessForbidden<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (isForbidden(error)) return null;
    throw error;
  }
}
