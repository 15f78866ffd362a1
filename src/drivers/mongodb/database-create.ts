import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { codeOf } from './classify.js';
import { type EngineContext, settleRetryable } from './engine-context.js';
import { homeOf, newHome, oursFilter, readHome } from './home.js';
import { formatGrant, loginOf } from './login.js';

const DUPLICATE_KEY = 11000;
const UNAUTHORIZED = 13;
const ROLE = 'readWriteAnyDatabase';
/** The server tells no databases apart by case (Manual, MongoDB Limits: Database Name Case Sensitivity). */
const DIFFERS_IN_CASE = 13297;

/**
 * A database is there from its first document on, and the first one is our marker: so there is no moment at which it is there and
 * unmarked, and of two who write it one finds the other's.
 */
export async function createDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'created' | 'adopted'> {
  return settleRetryable(context, signal, async () => {
    const found = await lookForHome(context, target);
    if (found !== null) return found;
    try {
      await homeOf(context, target.name).insertOne(newHome(target.marker));
    } catch (error) {
      if (codeOf(error) === DIFFERS_IN_CASE) throw nameTaken(target, 'is written in another case there, which MongoDB takes for the same');
      if (codeOf(error) === UNAUTHORIZED) throw await forbidden(context, target, error);
      if (codeOf(error) !== DUPLICATE_KEY) throw error;
      return (await lookForHome(context, target)) ?? 'adopted';
    }
    await refuseIntruders(context, target);
    return 'created';
  });
}

async function lookForHome(context: EngineContext, target: TenantTarget): Promise<'adopted' | null> {
  const { document, others } = await readHome(context, target.name);
  if (document === null) {
    if (others.length > 0) throw nameTaken(target, describeOwner(null, target.marker));
    return null;
  }
  if (!isSameMarker(document, target.marker)) throw nameTaken(target, describeOwner(document, target.marker));
  if (document.status === 'dropping') throw nameTaken(target, 'was interrupted while it was being dropped');
  return 'adopted';
}

/** Somebody wrote into the name between the look and the marker: then the database is theirs, and only the marker is taken back. */
async function refuseIntruders(context: EngineContext, target: TenantTarget): Promise<void> {
  const { document, others } = await readHome(context, target.name);
  const isUntouched = document !== null && document.fence === 0 && document.revision === 0;
  if (others.length === 0 || !isUntouched) return;
  const { deletedCount } = await homeOf(context, target.name).deleteOne({ ...oursFilter(target), fence: 0, revision: 0 });
  if (deletedCount > 0) throw nameTaken(target, describeOwner(null, target.marker));
}

/** What a person types who is sure whose it is. Where the document is gone the history is gone with it, and an update makes no new one. */
export function markCommand({ name, marker }: TenantTarget): string {
  const { tenant, registry, operation } = marker;
  return `db.getSiblingDB(${JSON.stringify(name)})._tenancy.updateOne({_id: "home"}, {$set: ${JSON.stringify({ tenant, registry, operation })}})`;
}

export function unmarkCommand(name: string): string {
  return `db.getSiblingDB(${JSON.stringify(name)})._tenancy.drop()`;
}

export function nameTaken({ name }: TenantTarget, owner: string): TenancyError<'TENANCY_NAME_TAKEN'> {
  return new TenancyError('TENANCY_NAME_TAKEN', { name, kind: 'database', owner, unmark: unmarkCommand(name) });
}

async function forbidden({ client }: EngineContext, { name }: TenantTarget, cause: unknown): Promise<TenancyError> {
  const login = loginOf(await client.db('admin').command({ connectionStatus: 1 })) ?? { user: '', db: 'admin' };
  const details = { name, kind: 'database', login: login.user, database: login.db, lacks: ROLE } as const;
  return new TenancyError('TENANCY_CREATE_FORBIDDEN', { ...details, grant: formatGrant(login, ROLE) }, { cause });
}
