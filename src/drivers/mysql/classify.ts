import { causesOf, isNetworkError } from '../../util/network-errors.js';
import type { ErrorClass } from '../driver.js';

/** By the server's error number; everything else of the server is fatal. Those that only one of MySQL and MariaDB has mean nothing else to the other. */
const BY_NUMBER: Readonly<Record<number, ErrorClass>> = {
  1213: 'transaction', // ER_LOCK_DEADLOCK
  1205: 'busy', // ER_LOCK_WAIT_TIMEOUT: rolls back the statement alone
  3572: 'busy', // ER_LOCK_NOWAIT
  1412: 'catalog-race', // ER_TABLE_DEF_CHANGED: a table changed under a transaction
  1615: 'catalog-race', // ER_NEED_REPREPARE
  1007: 'exists', // ER_DB_CREATE_EXISTS
  1008: 'exists', // ER_DB_DROP_EXISTS
  1050: 'exists', // ER_TABLE_EXISTS_ERROR
  1061: 'exists', // ER_DUP_KEYNAME
  1040: 'connection', // ER_CON_COUNT_ERROR
  1053: 'connection', // ER_SERVER_SHUTDOWN
  1152: 'connection', // ER_ABORTING_CONNECTION
  1158: 'connection', // ER_NET_READ_ERROR
  1159: 'connection', // ER_NET_READ_INTERRUPTED
  1160: 'connection', // ER_NET_ERROR_ON_WRITE
  1161: 'connection', // ER_NET_WRITE_INTERRUPTED
  1203: 'connection', // ER_TOO_MANY_USER_CONNECTIONS
  1226: 'connection', // ER_USER_LIMIT_REACHED
  1927: 'connection', // ER_CONNECTION_KILLED of MariaDB
  2003: 'connection', // CR_CONN_HOST_ERROR
  2006: 'connection', // CR_SERVER_GONE_ERROR
  2013: 'connection', // CR_SERVER_LOST
  3169: 'connection', // ER_SESSION_WAS_KILLED
  1021: 'resources', // ER_DISK_FULL
  1037: 'resources', // ER_OUTOFMEMORY
  1038: 'resources', // ER_OUT_OF_SORTMEMORY
  1041: 'resources', // ER_OUT_OF_RESOURCES
  1114: 'resources', // ER_RECORD_FILE_FULL
  1206: 'resources', // ER_LOCK_TABLE_FULL
  1317: 'timeout', // ER_QUERY_INTERRUPTED: by a KILL QUERY of ours, since an abort is told apart by its signal
  1969: 'timeout', // ER_STATEMENT_TIMEOUT of MariaDB
  3024: 'timeout', // ER_QUERY_TIMEOUT
  1044: 'denied', // ER_DBACCESS_DENIED_ERROR
  1142: 'denied', // ER_TABLEACCESS_DENIED_ERROR
  1143: 'denied', // ER_COLUMNACCESS_DENIED_ERROR
  1227: 'denied', // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1370: 'denied', // ER_PROCACCESS_DENIED_ERROR
};

/**
 * Numbers that stand for whatever a file or the storage engine failed with: EE_WRITE, ER_CANT_CREATE_FILE, ER_CANT_CREATE_TABLE, ER_CANT_CREATE_DB,
 * ER_ERROR_ON_WRITE, ER_GET_ERRNO. What it was is in the text: `errno: 135 "No more room in record file"`, `OS errno 28`, `Errcode: 28`.
 */
const OF_A_FILE: ReadonlySet<number> = new Set([3, 1004, 1005, 1006, 1026, 1030]);

/** 28 ENOSPC; 135 HA_ERR_RECORD_FILE_FULL and 136 HA_ERR_INDEX_FILE_FULL of `my_base.h`. */
const NO_ROOM = /\b(?:errno:?|errcode:|got error) (?:28|135|136)\b/i;

/** mysql2's own codes. */
const CLIENT_CODES: ReadonlySet<string> = new Set([
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  // What was left of an answer when the connection broke.
  'PROTOCOL_UNEXPECTED_PACKET',
]);

/** mysql2's own, without a code. */
const CLIENT_MESSAGES = /^(Connection lost|Can't add new command when connection is in closed state|Can't write in closed state)/;

/** Walks the causes, and decides by the first error that is the server's, the socket's or mysql2's. */
export function classifyMysqlError(error: unknown): ErrorClass {
  for (const link of causesOf(error)) {
    const found = classifyOne(link);
    if (found !== null) return found;
  }
  return 'fatal';
}

/** True where the server could not be talked to, as against refusing what it was told. */
export function isConnectionError(error: unknown): boolean {
  return classifyMysqlError(error) === 'connection';
}

/** The server's error number; 0 for what isn't the server's. */
export function numberOf(error: unknown): number {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown };
  // The socket's errors have an errno too, a negative one, and no SQLSTATE.
  return typeof errno === 'number' && errno > 0 && (sqlState !== undefined || errno >= 1000) ? errno : 0;
}

function classifyOne(error: Error): ErrorClass | null {
  const number = numberOf(error);
  if (OF_A_FILE.has(number) && NO_ROOM.test(error.message)) return 'resources';
  if (number > 0) return BY_NUMBER[number] ?? 'fatal';
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return CLIENT_MESSAGES.test(error.message) ? 'connection' : null;
  return CLIENT_CODES.has(code) || isNetworkError(error) ? 'connection' : null;
}
