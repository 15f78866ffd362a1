import type { Document, Filter } from 'mongodb';
import { TenancyError } from '../../errors.js';
import type { AccessChange, TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { codeOf } from './classify.js';
import { type DatabaseUser, killSessionsOf, readUsersOf } from './database-users.js';
import { type EngineContext, isForbidden, settleRetryable } from './engine-context.js';
import { endAbandoned, type HomeDocument, homeOf, oursFilter, type UserRole } from './home.js';

const USER_NOT_FOUND = 11;
const ROLE_NOT_FOUND = 31;
const NAMED = 5;

/** In the user's own `customData`: in the tenant's database its users could write themselves roles to be given back. */
const CUT = 'tenancyCut';

/**
 * Our document says that it is kept, and by which operation; then its access is cut. Nothing else can be done to a database here, which has no other name to
 * be put under.
 */
export async function retainDatabase(
  context: EngineContext,
  target: TenantTarget,
  operation: string,
  signal: AbortSignal,
): Promise<AccessChange> {
  const isInTime = { retained: { $in: [null, operation] }, undeleted: { $ne: operation } };
  await mark(context, target, signal, isInTime, { status: 'retained', retained: operation });
  return cutUsers(context, target, signal, async () => {
    const { retained } = await requireOurs(context, target);
    if (retained !== operation) throw stateMoved(target);
  });
}

export async function unretainDatabase(
  context: EngineContext,
  target: TenantTarget,
  { operation, isOver }: { readonly operation: string; readonly isOver: boolean },
  signal: AbortSignal,
): Promise<AccessChange> {
  const isInTime = { retained: { $in: [null, operation] } };
  await mark(context, target, signal, isInTime, { status: 'ready', retained: null, ...(isOver ? { undeleted: operation } : {}) });
  return { isEnforced: true, detail: 'it is in use again' };
}

/** One step on the server, with what it depends on: so one that comes late changes nothing. */
async function mark(
  context: EngineContext,
  target: TenantTarget,
  signal: AbortSignal,
  isInTime: Filter<HomeDocument>,
  set: Pick<HomeDocument, 'status' | 'retained'> & Partial<Pick<HomeDocument, 'undeleted'>>,
): Promise<void> {
  await settleRetryable(context, signal, async () => {
    const { status } = await readOurs(context, target);
    if (status === 'dropping') throw accessRefused(target, 'was interrupted while it was being dropped');
    const filter: Filter<HomeDocument> = { ...oursFilter(target), status: { $ne: 'dropping' }, ...isInTime };
    const { matchedCount } = await homeOf(context, target.name).updateOne(filter, { $set: set });
    if (matchedCount === 0) throw stateMoved(target);
  });
}

/**
 * Takes all roles from the users that are defined in the tenant's own database, and ends what they run. What was taken is kept with each user, in
 * the same step, so that `restoreAccess` gives back just that. A user of `admin` is the application's, which other tenants share.
 */
export async function cutDatabaseAccess(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<AccessChange> {
  return cutUsers(context, target, signal, () => requireOurs(context, target));
}

/** `check` throws where they aren't to be cut any more. */
async function cutUsers(
  context: EngineContext,
  target: TenantTarget,
  signal: AbortSignal,
  check: () => Promise<unknown>,
): Promise<AccessChange> {
  return settleRetryable(context, signal, async () => {
    await readOurs(context, target);
    const users = await readUsersOf(context, target.name);
    if (users === null) return FORBIDDEN;
    if (users.length === 0) return sharesLogin(target);
    try {
      for (const user of users) {
        await check();
        await cutUser(context, target.name, user);
      }
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return FORBIDDEN;
    }
    await check();
    const hasEnded = await killSessionsOf(context, target.name, users);
    const names = listNames(users.map(({ user }) => user));
    return {
      isEnforced: true,
      detail: `all roles were taken from ${names}${hasEnded ? ', and what they ran was ended' : '; what they run now may go on to its end'}`,
    };
  });
}

export async function planDatabaseCut(context: EngineContext, target: TenantTarget): Promise<AccessChange> {
  return settleRetryable(context, new AbortController().signal, async () => {
    const users = await readUsersOf(context, target.name);
    if (users === null) return FORBIDDEN;
    if (users.length === 0) return sharesLogin(target);
    return { isEnforced: true, detail: `all roles of ${listNames(users.map(({ user }) => user))}` };
  });
}

function sharesLogin({ name }: TenantTarget): AccessChange {
  return { isEnforced: false, detail: `no user is defined in ${name}: the tenant shares the application's login` };
}

const FORBIDDEN: AccessChange = { isEnforced: false, detail: 'the login may not change users, so that nothing was taken away' };

/** A second cut, after a crash or after somebody granted again, adds to what the first one took. */
async function cutUser({ client }: EngineContext, name: string, { user, roles, customData }: DatabaseUser): Promise<void> {
  if (roles.length === 0 && customData[CUT] !== undefined) return;
  const known = readCut(customData) ?? [];
  const cut = [...known, ...roles.filter((role) => !known.some((other) => other.role === role.role && other.db === role.db))];
  await client.db(name).command({ updateUser: user, roles: [], customData: { ...customData, [CUT]: cut } });
}

export async function restoreDatabaseAccess(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<AccessChange> {
  return settleRetryable(context, signal, async () => {
    await readOurs(context, target);
    const users = ((await readUsersOf(context, target.name)) ?? []).filter(({ customData }) => readCut(customData) !== null);
    if (users.length === 0) return { isEnforced: true, detail: 'nothing had been taken away' };
    for (const user of users) await giveBack(context, target, user);
    return { isEnforced: true, detail: `their roles were given back to ${listNames(users.map(({ user }) => user))}` };
  });
}

function readCut(customData: Document): readonly UserRole[] | null {
  const cut: unknown = customData[CUT];
  return Array.isArray(cut) ? (cut as readonly UserRole[]) : null;
}

async function readOurs(context: EngineContext, target: TenantTarget): Promise<HomeDocument> {
  const home = await requireOurs(context, target);
  await endAbandoned(context, home);
  return home;
}

/**
 * Right before each change of a user, which the server can't compare with the home: so of a process that stood still no more than one reaches the next life
 * of the name. @throws TenancyError `TENANCY_ACCESS_REFUSED`
 */
async function requireOurs(context: EngineContext, target: TenantTarget): Promise<HomeDocument> {
  const home = await homeOf(context, target.name).findOne({ _id: 'home' });
  if (home !== null && isSameMarker(home, target.marker)) return home;
  throw accessRefused(target, describeOwner(home, target.marker));
}

function accessRefused({ name }: TenantTarget, owner: string): TenancyError {
  return new TenancyError('TENANCY_ACCESS_REFUSED', { name, kind: 'database', owner });
}

function stateMoved({ marker }: TenantTarget): TenancyError {
  return new TenancyError('TENANCY_STATE_MOVED', { tenant: marker.tenant });
}

/** A user or a role that has gone meanwhile stays gone. */
async function giveBack(context: EngineContext, target: TenantTarget, { user, customData }: DatabaseUser): Promise<void> {
  const { [CUT]: _, ...rest } = customData;
  const db = context.client.db(target.name);
  try {
    for (const role of readCut(customData) ?? []) {
      await requireOurs(context, target);
      await db.command({ grantRolesToUser: user, roles: [role] }).catch((error: unknown) => {
        if (codeOf(error) !== ROLE_NOT_FOUND) throw error;
      });
    }
    await requireOurs(context, target);
    await db.command({ updateUser: user, customData: rest });
  } catch (error) {
    if (codeOf(error) !== USER_NOT_FOUND) throw error;
  }
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
