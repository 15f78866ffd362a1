import { TenancyError } from '../../errors.js';
import { mongodbDatabaseOf } from '../../util/mongodb-url.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { codeOf } from './classify.js';
import { dropUsersOf, findLeftUsers } from './database-users.js';
import { type EngineContext, settleRetryable } from './engine-context.js';
import { endAbandoned, type HomeState, homeOf, oursFilter, readHome } from './home.js';

const NAMESPACE_NOT_FOUND = 26;

/**
 * ```
 * ours ──status: dropping──→ partial ──users, then each collection──→ our document alone ──dropDatabase──→ absent
 * ```
 * `dropDatabase` drops one collection after the other, and may be interrupted between two: what is left would have no marker, and could
 * never be dropped by us. So ours goes last, when there is nothing else.
 */
export async function dropDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'> {
  let isDropped = false;
  return settleRetryable(context, signal, async () => {
    const state = await readHome(context, target.name);
    if (state.document === null && state.others.length === 0) return isDropped ? 'dropped' : 'absent';
    const reasons = findObstacles(context, target, state);
    if (reasons.length > 0) throw new TenancyError('TENANCY_DROP_REFUSED', { name: target.name, kind: 'database', reasons });
    if (state.document !== null) await endAbandoned(context, state.document);
    const { matchedCount } = await homeOf(context, target.name).updateOne(oursFilter(target), { $set: { status: 'dropping' } });
    if (matchedCount === 0 && !(await isGone(context, target))) throw refused(target);
    isDropped = true;
    await dropUsersOf(context, target.name, () => requireDropping(context, target));
    for (const collection of state.others) {
      signal.throwIfAborted();
      await requireDropping(context, target);
      await dropCollection(context, target.name, collection);
    }
    await refuseLeftUsers(context, target);
    await dropRest(context, target);
    return 'dropped';
  });
}

/** Also of a database that somebody dropped by hand, who has left its users. */
export async function sweepLeftUsers(
  context: EngineContext,
  target: TenantTarget,
  signal: AbortSignal,
): Promise<{ readonly removed: readonly string[]; readonly left: readonly string[] }> {
  return settleRetryable(context, signal, async () => {
    if (!(await isGone(context, target))) return { removed: [], left: [] };
    const found = await findLeftUsers(context, target.name);
    if (found.length === 0) return { removed: [], left: [] };
    await dropUsersOf(context, target.name, () => requireGone(context, target));
    const left = await findLeftUsers(context, target.name);
    await requireGone(context, target);
    const describe = (user: string): string => `the user ${user}`;
    return { removed: found.filter((user) => !left.includes(user)).map(describe), left: left.map(describe) };
  });
}

/** Why we would not drop it. */
export function findObstacles({ url }: EngineContext, target: TenantTarget, { document }: HomeState): string[] {
  if (document === null || !isSameMarker(document, target.marker)) return [`it ${describeOwner(document, target.marker)}`];
  return mongodbDatabaseOf(url) === target.name ? ["it is the database that the cluster's URL names"] : [];
}

async function dropCollection({ client }: EngineContext, database: string, collection: string): Promise<void> {
  try {
    await client.db(database).dropCollection(collection);
  } catch (error) {
    if (codeOf(error) !== NAMESPACE_NOT_FOUND) throw error;
  }
}

/** Looked at before each: an attempt that stood still must not take away what has been made anew meanwhile. */
async function requireDropping(context: EngineContext, target: TenantTarget): Promise<void> {
  const document = await homeOf(context, target.name).findOne({ ...oursFilter(target), status: 'dropping' }, { projection: { _id: 1 } });
  if (document === null && !(await isGone(context, target))) throw refused(target);
}

async function dropRest(context: EngineContext, target: TenantTarget): Promise<void> {
  const document = await homeOf(context, target.name).findOne({ _id: 'home' });
  if (document === null) return;
  if (!isSameMarker(document, target.marker)) throw refused(target, describeOwner(document, target.marker));
  await context.client.db(target.name).command({ dropDatabase: 1, writeConcern: { w: 'majority' } });
}

async function isGone(context: EngineContext, target: TenantTarget): Promise<boolean> {
  const { document, others } = await readHome(context, target.name);
  return document === null && others.length === 0;
}

/** @throws TenancyError `TENANCY_DROP_REFUSED` */
async function requireGone(context: EngineContext, target: TenantTarget): Promise<void> {
  if (!(await isGone(context, target))) throw refused(target);
}

/** Somebody made them meanwhile. Looked for before the last statement: behind that nothing tells any more whose they are. */
async function refuseLeftUsers(context: EngineContext, target: TenantTarget): Promise<void> {
  if ((await findLeftUsers(context, target.name)).length === 0) return;
  await dropUsersOf(context, target.name, () => requireDropping(context, target));
  const left = await findLeftUsers(context, target.name);
  if (left.length > 0) throw refused(target, `users who could not be removed would enter the next one of its name: ${left.join(', ')}`);
}

function refused({ name }: TenantTarget, reason = 'somebody has replaced it meanwhile'): TenancyError<'TENANCY_DROP_REFUSED'> {
  return new TenancyError('TENANCY_DROP_REFUSED', { name, kind: 'database', reasons: [reason] });
}
