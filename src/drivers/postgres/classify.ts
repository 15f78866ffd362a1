import { causesOf, isNetworkError } from '../../util/network-errors.js';
import type { ErrorClass } from '../driver.js';

/** SQLSTATEs, whole or by their class (two characters); the longer entry counts. Everything else is fatal. */
const BY_STATE: Readonly<Record<string, ErrorClass>> = {
  '40001': 'transaction', // serialization_failure
  '40P01': 'transaction', // deadlock_detected
  '55P03': 'busy', // lock_not_available
  '55006': 'busy', // object_in_use
  '42710': 'exists', // duplicate_object
  '42P04': 'exists', // duplicate_database
  '42P06': 'exists', // duplicate_schema
  '42P07': 'exists', // duplicate_table
  '08': 'connection',
  '08P01': 'fatal', // protocol_violation: the same message is just as wrong the next time
  '57P01': 'connection', // admin_shutdown
  '57P02': 'connection', // crash_shutdown
  '57P03': 'connection', // cannot_connect_now
  '57P05': 'connection', // idle_session_timeout
  '25P03': 'connection', // idle_in_transaction_session_timeout
  '53300': 'connection', // too_many_connections
  '53100': 'resources', // disk_full
  '53200': 'resources', // out_of_memory, also of the lock table
  '42501': 'denied', // insufficient_privilege
  '57014': 'timeout', // query_canceled: by our own statement_timeout, since an abort is told apart by its signal
};

/** node-pg's own errors carry no code. */
const CLIENT_MESSAGES: readonly RegExp[] = [
  /^Connection terminated/,
  /^timeout expired$/,
  /^timeout exceeded when trying to connect$/,
  /^Client has encountered a connection error and is not queryable$/,
  /^Client was closed and is not queryable$/,
];

/** Walks the causes, and decides by the first error that is PostgreSQL's, the socket's or node-pg's. */
export function classifyPostgresError(error: unknown): ErrorClass {
  for (const link of causesOf(error)) {
    const found = classifyOne(link);
    if (found !== null) return found;
  }
  return 'fatal';
}

/** True where the server could not be talked to, as against refusing what it was told. */
export function isConnectionError(error: unknown): boolean {
  return classifyPostgresError(error) === 'connection';
}

function classifyOne(error: Error): ErrorClass | null {
  const code = readText(error, 'code');
  if (code === null) return CLIENT_MESSAGES.some((pattern) => pattern.test(error.message)) ? 'connection' : null;
  if (isNetworkError(error)) return 'connection';
  if (!/^[0-9A-Z]{5}$/.test(code)) return null;
  // Two sessions changed one catalogue row at once; other internal errors are bugs or damage.
  if (code === 'XX000') return /tuple concurrently (updated|deleted)/.test(error.message) ? 'catalog-race' : 'fatal';
  if (code === '23505') return isCatalogIndex(error) ? 'catalog-race' : 'fatal';
  return BY_STATE[code] ?? BY_STATE[code.slice(0, 2)] ?? 'fatal';
}

/** A unique index of the catalogue: two sessions made the same thing at once. A user's own index may be called pg_… in no schema but its own. */
function isCatalogIndex(error: Error): boolean {
  const schema = readText(error, 'schema');
  return (schema === null || schema === 'pg_catalog') && (readText(error, 'constraint') ?? error.message).includes('pg_');
}

function readText(error: Error, key: string): string | null {
  const value = (error as unknown as Record<string, unknown>)[key];
  return typeof value === 'string' ? value : null;
}
