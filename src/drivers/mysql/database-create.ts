import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { numberOf } from './classify.js';
import type { ServerConnection } from './connection.js';
import type { EngineContext } from './engine-context.js';
import { withHomeLock } from './home-lock.js';
import { type HomeState, MARKER_TYPE, presenceOf, readHome } from './home-state.js';
import { ensureLedger, forgetHome, namingMissingRight, ownRow, writeLedger } from './ledger.js';
import { formatMarker, parseMarker } from './marker.js';
import { createHistoryTables } from './migrate/history-tables.js';
import { quoteName, quoteText } from './quote.js';
import { dropRights } from './rights.js';

/** ER_DB_CREATE_EXISTS */
const EXISTS = 1007;

/**
 * ```
 * (absent) ──ledger: creating──→ CREATE DATABASE ──→ tables, marker ──→ ledger: made
 * ```
 * All under the home's lock, and each step found done by whoever comes back. A database without a marker is taken for this operation's
 * if it is empty and the ledger says that the operation saw it absent and began to make it; on MariaDB it also has to carry the operation's comment,
 * which it has from its first moment. On MySQL somebody else who makes an empty database of that very name between a crash and the next
 * attempt can't be told apart.
 */
export async function createDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'created' | 'adopted'> {
  return withHomeLock(context, target, signal, async (connection) => {
    const home = await namingMissingRight(connection, target.name, () => readHome(connection, target));
    const presence = presenceOf(home, target);
    if (presence.status === 'ours') {
      if (ownRow(home.ledger, target)?.state === 'creating') {
        await ensureLedger(context, connection);
        await writeLedger(connection, home.key, target.marker, 'made');
      }
      return 'adopted';
    }
    if (ownRow(home.ledger, target)?.state === 'dropping') throw nameTaken(target, 'was interrupted while it was being dropped');
    if (presence.status !== 'absent' && !isBegun(connection, home, target))
      throw nameTaken(target, describeOwner(home.marker, target.marker));
    await ensureLedger(context, connection);
    await namingMissingRight(connection, target.name, async () => {
      // An earlier home of that name went behind our back: whoever had rights on it must not have them on this one.
      if (!home.exists && home.ledger !== null && ownRow(home.ledger, target) === null) await dropRights(connection, home.key);
      if (!home.exists) await createEmpty(connection, home, target);
      await writeMarker(connection, target);
    });
    await writeLedger(connection, home.key, target.marker, 'made');
    return home.exists ? 'adopted' : 'created';
  });
}

/** Writes our marker on a home that has none. @throws TenancyError `TENANCY_NAME_TAKEN` */
export async function markDatabase(context: EngineContext, target: TenantTarget): Promise<void> {
  await withHomeLock(context, target, undefined, async (connection) => {
    const home = await readHome(connection, target);
    const { status } = presenceOf(home, target);
    if (status === 'ours' || status === 'retained') return;
    if (status === 'other') throw nameTaken(target, describeOwner(home.marker, target.marker));
    await ensureLedger(context, connection);
    await writeMarker(connection, target);
    await writeLedger(connection, home.key, target.marker, 'made');
  });
}

function isBegun(connection: ServerConnection, home: HomeState, target: TenantTarget): boolean {
  if (presenceOf(home, target).status !== 'partial') return false;
  const comment = parseMarker(home.comment);
  return !connection.isMariadb || (comment !== null && isSameMarker(comment, target.marker));
}

async function createEmpty(connection: ServerConnection, home: HomeState, target: TenantTarget): Promise<void> {
  await writeLedger(connection, home.key, target.marker, 'creating');
  // Its character set and collation are the server's own.
  const comment = connection.isMariadb ? ` COMMENT ${quoteText(formatMarker(target.marker))}` : '';
  try {
    await connection.send(`CREATE DATABASE ${quoteName(target.name)}${comment}`);
  } catch (error) {
    // Somebody who doesn't take our lock has made it: not to be taken for ours by the next attempt.
    if (numberOf(error) !== EXISTS) throw error;
    await forgetHome(connection, home.key);
    throw nameTaken(target, describeOwner(null, target.marker));
  }
}

async function writeMarker(connection: ServerConnection, { name, marker }: TenantTarget): Promise<void> {
  const insert =
    `INSERT INTO ${quoteName(name)}._tenancy_state (type, name, detail) VALUES ('${MARKER_TYPE}', '', ${quoteText(formatMarker(marker))}) ` +
    `ON DUPLICATE KEY UPDATE detail = VALUES(detail)`;
  await connection.send([...createHistoryTables(quoteName(name)), insert].join('; '));
}

/** What a person types who is sure whose it is. */
export function markCommand({ name, marker }: TenantTarget): string {
  return `REPLACE INTO ${quoteName(name)}._tenancy_state (type, name, detail) VALUES ('${MARKER_TYPE}', '', ${quoteText(formatMarker(marker))})`;
}

export function unmarkCommand(name: string): string {
  return `DELETE FROM ${quoteName(name)}._tenancy_state WHERE type = '${MARKER_TYPE}'`;
}

function nameTaken({ name }: TenantTarget, owner: string): TenancyError {
  return new TenancyError('TENANCY_NAME_TAKEN', { name, kind: 'database', owner, unmark: unmarkCommand(name) });
}
