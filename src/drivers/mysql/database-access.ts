import { TenancyError } from '../../errors.js';
import type { AccessChange, TenantTarget } from '../driver.js';
import { describeOwner } from '../marker.js';
import { markRetained, markUnretained } from '../retention.js';
import type { ServerConnection } from './connection.js';
import { type EngineContext, withConnection } from './engine-context.js';
import { withHomeLock } from './home-lock.js';
import { type HomeState, presenceOf, readHome } from './home-state.js';
import { ensureLedger, ownRow, writeCut, writeLedger, writeRetention } from './ledger.js';
import { type Account, type DatabaseRights, isDedicated, readCovering, readRights, revokeRights } from './rights.js';
import { endSessions } from './sessions.js';

const NAMED = 5;

const NOBODY_ALONE: AccessChange = {
  isEnforced: false,
  detail: 'nobody has rights on this database alone: who may use all of them may still use it',
};

/**
 * The ledger says that it is kept, and by which operation; then its access is cut. Nothing else can be done to a home here, which has no other name to be
 * put under.
 */
export async function retainDatabase(
  context: EngineContext,
  target: TenantTarget,
  operation: string,
  signal: AbortSignal,
): Promise<AccessChange> {
  return withHomeLock(context, target, signal, async (connection) => {
    const home = await requireOurs(context, connection, target, await readHome(connection, target));
    await writeRetention(connection, home.key, 'retained', markRetained({ ...target.marker, ...home.ledger }, operation));
    return cutRights(context, connection, target, home);
  });
}

export async function unretainDatabase(
  context: EngineContext,
  target: TenantTarget,
  { operation, isOver }: { readonly operation: string; readonly isOver: boolean },
  signal: AbortSignal,
): Promise<AccessChange> {
  return withHomeLock(context, target, signal, async (connection) => {
    const home = await requireOurs(context, connection, target, await readHome(connection, target));
    await writeRetention(connection, home.key, 'made', markUnretained({ ...target.marker, ...home.ledger }, operation, isOver));
    return { isEnforced: true, detail: 'it is in use again' };
  });
}

/**
 * Revokes what was granted on exactly this database, and ends the sessions in it of those who had it: a session keeps the rights on the
 * database that it is in. What is taken is written into the ledger before, so that `restoreAccess` gives back just that.
 *
 * A login with rights on everything, or on a pattern that covers this database, isn't touched: those are other tenants' too. The latter is named.
 */
export async function cutDatabaseAccess(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<AccessChange> {
  return withHomeLock(context, target, signal, async (connection) => {
    const found = await readHome(connection, target);
    // Nobody is let back in, and what is left of it may be gone the next moment.
    if (presenceOf(found, target).status === 'partial') return { isEnforced: true, detail: 'it was being made or dropped: nobody uses it' };
    return cutRights(context, connection, target, await requireOurs(context, connection, target, found));
  });
}

async function cutRights(
  context: EngineContext,
  connection: ServerConnection,
  target: TenantTarget,
  home: HomeState,
): Promise<AccessChange> {
  const known = readCut(home);
  const rights = await readRights(connection, home.key);
  if (rights.length > 0) {
    await writeCut(connection, home.key, JSON.stringify(mergeRights(known, rights)));
    await revokeRights(connection, rights);
  }
  const cut = mergeRights(known, rights);
  if (cut.length === 0) return NOBODY_ALONE;
  await endSessions(context, connection, target.name, cut);
  return describeCut(connection, home, cut, ' were taken away');
}

async function describeCut(
  connection: ServerConnection,
  home: HomeState,
  cut: readonly DatabaseRights[],
  taken: string,
): Promise<AccessChange> {
  const detail = `the rights of ${await describeAccounts(connection, cut)}${taken}`;
  const covering = await readCovering(connection, home.key);
  if (covering.length === 0) return { isEnforced: true, detail };
  return { isEnforced: false, detail: `${detail}; ${listAccounts(covering)} may still use it, by a grant on a pattern that covers it` };
}

export async function planDatabaseCut(context: EngineContext, target: TenantTarget): Promise<AccessChange> {
  return withConnection(context, undefined, async (connection) => {
    const home = await readHome(connection, target);
    const known = readCut({ ...home, ledger: ownRow(home.ledger, target) });
    const cut = mergeRights(known, await readRights(connection, home.key));
    return cut.length === 0 ? NOBODY_ALONE : describeCut(connection, home, cut, '');
  });
}

export async function restoreDatabaseAccess(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<AccessChange> {
  return withHomeLock(context, target, signal, async (connection) => {
    const home = await requireOurs(context, connection, target, await readHome(connection, target));
    const cut = readCut(home);
    if (cut.length === 0) return { isEnforced: false, detail: 'nothing had been taken away' };
    const gone: DatabaseRights[] = [];
    for (const rights of cut) {
      for (const grant of rights.grants) {
        await connection.send(grant).catch((error: { errno?: number }) => {
          // ER_CANT_CREATE_USER_WITH_GRANT, ER_PASSWORD_NO_MATCH, ER_NO_SUCH_USER …: the account has been dropped meanwhile.
          if (![1133, 1410, 1396].includes(error.errno ?? 0)) throw error;
          gone.push(rights);
        });
      }
    }
    await writeCut(connection, home.key, null);
    const back = cut.filter((rights) => !gone.includes(rights));
    return { isEnforced: true, detail: `the rights of ${listAccounts(back)} were given back` };
  });
}

async function requireOurs(
  context: EngineContext,
  connection: ServerConnection,
  target: TenantTarget,
  home: HomeState,
): Promise<HomeState> {
  const { status } = presenceOf(home, target);
  if (status !== 'ours' && status !== 'retained') {
    const owner = home.exists ? describeOwner(home.marker, target.marker) : 'is not there';
    throw new TenancyError('TENANCY_ACCESS_REFUSED', { name: target.name, kind: 'database', owner });
  }
  await ensureLedger(context, connection);
  // It may have come here with a dump, and its row be of another server.
  if (ownRow(home.ledger, target) === null) await writeLedger(connection, home.key, target.marker, 'made');
  return { ...home, ledger: ownRow(home.ledger, target) };
}

function readCut({ ledger }: HomeState): readonly DatabaseRights[] {
  return ledger?.cut == null ? [] : (JSON.parse(ledger.cut) as DatabaseRights[]);
}

/** A second cut, after a crash or after somebody granted again, adds to what the first one took. */
function mergeRights(known: readonly DatabaseRights[], found: readonly DatabaseRights[]): DatabaseRights[] {
  const isSame = (a: DatabaseRights, b: DatabaseRights): boolean => a.user === b.user && a.host === b.host;
  const merged = found.map((rights) => ({
    ...rights,
    grants: [...new Set([...(known.find((other) => isSame(rights, other))?.grants ?? []), ...rights.grants])],
  }));
  return [...known.filter((rights) => !found.some((other) => isSame(rights, other))), ...merged];
}

async function describeAccounts(connection: ServerConnection, rights: readonly DatabaseRights[]): Promise<string> {
  const shared: DatabaseRights[] = [];
  for (const one of rights) if (!(await isDedicated(connection, one))) shared.push(one);
  const others = shared.length === 0 ? '' : ` (${listAccounts(shared)} may do more than that elsewhere)`;
  return `${listAccounts(rights)}${others}`;
}

function listAccounts(rights: readonly Account[]): string {
  if (rights.length === 0) return 'nobody';
  const names = rights.map(({ user, host }) => (host === '' ? user : `${user}@${host}`));
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
