import { TenancyError } from '../../errors.js';
import { isNetworkError, isTlsError, textCodeOf } from '../../util/network-errors.js';
import { redact } from '../../util/redact.js';
import { describeNetworkCode, isAbsentCode } from '../network-failures.js';
import type { RegistryPlace } from '../place.js';

/**
 * Numbers of MySQL's and MariaDB's error references, the same in both where they overlap (1000–1999).
 * Deadlock, lock wait, read-record-changed (MariaDB 11), Galera's "not prepared for use".
 */
const ROLLED_BACK: ReadonlySet<number> = new Set([1213, 1205, 1020, 1047]);

/** Too many connections (of all, of the user), shutting down, killed, out of memory for a thread, idle too long (4031). */
const SERVER_AWAY: ReadonlySet<number> = new Set([1040, 1203, 1053, 1077, 1079, 1927, 1135, 1158, 1159, 1160, 1161, 2006, 2013, 4031]);

/** mysql2's own. */
const CLIENT_CODES: ReadonlySet<string> = new Set(['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT']);

const MYSQL2_SENTENCES =
  /^(Connection lost|Can't add new command when connection is in closed state|Can't write in closed state|Connection terminated)/;

/** The server rolled the statements back, or the connection was lost with the answer still out (then they may have been carried out). */
export function isTransient(error: unknown): boolean {
  return ROLLED_BACK.has(numberOf(error) ?? 0) || isConnectionFailure(error);
}

function isConnectionFailure(error: unknown): boolean {
  const number = numberOf(error);
  if (number !== undefined) return SERVER_AWAY.has(number);
  if (!(error instanceof Error)) return false;
  return CLIENT_CODES.has(textCodeOf(error) ?? '') || isNetworkError(error) || MYSQL2_SENTENCES.test(error.message);
}

export function isAbsent(error: unknown): boolean {
  return isAbsentCode(textCodeOf(error));
}

const NO_SUCH_DATABASE = 1049;
const NO_SUCH_TABLE = 1146;
const DUPLICATE = 1062;

/** Access to the database, a table, a column, a routine, or what takes SUPER or another global privilege. */
const FORBIDDEN: ReadonlySet<number> = new Set([1044, 1142, 1143, 1227, 1370]);
/** Wrong password, a plugin that the client can't do, socket logins only, expired (1820, 1862) or locked (3118, 4151) accounts. */
const LOGIN_REFUSED: ReadonlySet<number> = new Set([1045, 1251, 1698, 1820, 1862, 3118, 3955, 4151]);
/** `read_only` and `super_read_only` (by 1290's words), a read-only transaction or server. */
const READ_ONLY: ReadonlySet<number> = new Set([1792, 1836, 1874]);
/** Missing table, column or function: nothing of the registry's is ever missing of itself. */
const DAMAGE: ReadonlySet<number> = new Set([NO_SUCH_TABLE, 1054, 1305, 1932]);

/** Puts what the server or the network said into our own codes; what neither of them said is passed on as it is. */
export function toRegistryError(error: unknown, place: RegistryPlace): unknown {
  if (error instanceof TenancyError || !(error instanceof Error)) return error;
  // mysql2 keeps the whole statement there, with the values in it.
  if ('sql' in error) error.sql = undefined;
  const { where, database } = place;
  const reason = redact(describeReason(error));
  const cause = { cause: error };
  if (isTransient(error)) return new TenancyError('TENANCY_REGISTRY_UNREACHABLE', { where, reason }, cause);
  const code = textCodeOf(error) ?? '';
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    const noTls = 'its ssl-mode asks for TLS, and the server has none; ssl-mode=DISABLED in it does without';
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: noTls }, cause);
  }
  if (isTlsError(error) || code === 'HANDSHAKE_SSL_ERROR') {
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: `TLS failed: ${reason}` }, cause);
  }
  const number = numberOf(error);
  // Only the server's own errors have one.
  if (number === undefined) return error;
  if (READ_ONLY.has(number) || (number === 1290 && /read[_-]only/.test(error.message))) {
    return new TenancyError('TENANCY_REGISTRY_READ_ONLY', { where }, cause);
  }
  if (number === NO_SUCH_DATABASE) return new TenancyError('TENANCY_REGISTRY_DATABASE_MISSING', { where, database }, cause);
  if (FORBIDDEN.has(number))
    return new TenancyError('TENANCY_REGISTRY_FORBIDDEN', { ...place, reason, grant: describeGrant(place) }, cause);
  if (LOGIN_REFUSED.has(number)) return new TenancyError('TENANCY_REGISTRY_LOGIN_REFUSED', { where, reason }, cause);
  if (DAMAGE.has(number)) {
    return new TenancyError('TENANCY_REGISTRY_DAMAGED', { where, damage: reason, collections: OUR_TABLES }, cause);
  }
  const sqlState = 'sqlState' in error && typeof error.sqlState === 'string' && error.sqlState !== '' ? error.sqlState : 'HY000';
  return new TenancyError('TENANCY_REGISTRY_FAILED', { where, sqlState, reason }, cause);
}

/** For sentences about them. */
export const OUR_TABLES = 'the tables tenancy_…';

function describeGrant({ database, user }: RegistryPlace): string {
  const grant = `GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, TRIGGER ON \`${database}\`.* TO '${user}'@'%'`;
  return `the registry's user needs: ${grant}`;
}

function describeReason(error: Error): string {
  const code = textCodeOf(error);
  const ofNetwork = describeNetworkCode(code);
  if (ofNetwork !== undefined) return ofNetwork;
  if (code === 'ETIMEDOUT' || code === 'PROTOCOL_SEQUENCE_TIMEOUT') return 'it did not answer in time';
  return error.message === '' ? (code ?? error.name) : error.message;
}

export function isMissingTable(error: unknown): boolean {
  return serverNumberOf(error) === NO_SUCH_TABLE;
}

export function isMissingDatabase(error: unknown): boolean {
  return serverNumberOf(error) === NO_SUCH_DATABASE;
}

export function isDuplicate(error: unknown): boolean {
  return serverNumberOf(error) === DUPLICATE;
}

/** No trigger for this user: with binary logging it takes SUPER (1419), without it TRIGGER on the table. */
export function isTriggerRefused(error: unknown): boolean {
  return [1419, 1142, 1227, 1044].includes(serverNumberOf(error) ?? 0);
}

/** Of an ALTER TABLE that was carried out and not heard of: the column is there, or the check that it dropped isn't. */
export function isColumnThere(error: unknown): boolean {
  return [1060, 3821].includes(serverNumberOf(error) ?? 0);
}

/** Whether the server itself said so, and goes on talking: else the connection is of no use any more. */
export function isOfServer(error: unknown): boolean {
  return numberOf(error) !== undefined && !isConnectionFailure(error);
}

/** What the server answered, also where it has been put into a code of ours. */
function serverNumberOf(error: unknown): number | undefined {
  return numberOf(error instanceof TenancyError ? error.cause : error);
}

/** The system's own errors have negative numbers. */
function numberOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errno' in error)) return undefined;
  return typeof error.errno === 'number' && error.errno >= 1000 ? error.errno : undefined;
}
