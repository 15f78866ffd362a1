import { causesOf, isNetworkError, textCodeOf } from '../../util/network-errors.js';
import type { ErrorClass } from '../driver.js';

/** By the codes of https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml. Everything else is fatal. */
const BY_CODE: Readonly<Record<number, ErrorClass>> = {
  112: 'transaction', // WriteConflict
  251: 'transaction', // NoSuchTransaction: the server has given it up
  24: 'busy', // LockTimeout
  46: 'busy', // LockBusy
  117: 'busy', // ConflictingOperationInProgress
  215: 'busy', // DatabaseDropPending
  12586: 'busy', // BackgroundOperationInProgressForDatabase
  12587: 'busy', // BackgroundOperationInProgressForNamespace
  48: 'exists', // NamespaceExists
  6: 'connection', // HostUnreachable
  7: 'connection', // HostNotFound
  89: 'connection', // NetworkTimeout
  91: 'connection', // ShutdownInProgress
  134: 'connection', // ReadConcernMajorityNotAvailableYet
  189: 'connection', // PrimarySteppedDown
  262: 'connection', // ExceededTimeLimit
  9001: 'connection', // SocketException
  10058: 'connection', // LegacyNotPrimary
  10107: 'connection', // NotWritablePrimary
  11600: 'connection', // InterruptedAtShutdown
  11602: 'connection', // InterruptedDueToReplStateChange
  13435: 'connection', // NotPrimaryNoSecondaryOk
  13436: 'connection', // NotPrimaryOrSecondary
  14031: 'resources', // OutOfDiskSpace
  50: 'timeout', // MaxTimeMSExpired
  13: 'denied', // Unauthorized
};

const AUTHENTICATION_FAILED = 18;

/** What the client library throws where the server could not be talked to. */
const CONNECTION_NAMES: ReadonlySet<string> = new Set([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongoPoolClearedError',
  'MongoPoolClearedOnNetworkError',
  'MongoWaitQueueTimeoutError',
  'MongoTopologyClosedError',
  'MongoServerClosedError',
  'MongoNotConnectedError',
  'MongoClientClosedError',
]);

/** Of the DNS queries that a mongodb+srv URL takes. */
const DNS_CODES: ReadonlySet<string> = new Set(['ETIMEOUT', 'ENODATA', 'ESERVFAIL']);

/** Walks the causes, and decides by the first error that is MongoDB's, its client's or the socket's. */
export function classifyMongodbError(error: unknown): ErrorClass {
  const chain = causesOf(error);
  // A refused login also clears the pool, so that what waited there fails as if the connection had been lost.
  if (chain.some((link) => codeOf(link) === AUTHENTICATION_FAILED)) return 'fatal';
  for (const link of chain) {
    const found = classifyOne(link);
    if (found !== null) return found;
  }
  return 'fatal';
}

/** True where the server could not be talked to, as against refusing what it was told. */
export function isConnectionError(error: unknown): boolean {
  return classifyMongodbError(error) === 'connection';
}

/** The server's number for what went wrong; null for an error that isn't the server's. */
export function codeOf(error: unknown): number | null {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'number' ? code : null;
}

/** Labels are how servers and the client tell what may be tried again. */
export function hasLabel(error: unknown, label: string): boolean {
  const { hasErrorLabel } = error as { hasErrorLabel?: unknown };
  return error instanceof Error && typeof hasErrorLabel === 'function' && (hasErrorLabel.call(error, label) as boolean);
}

function classifyOne(error: Error): ErrorClass | null {
  if (CONNECTION_NAMES.has(error.name)) return 'connection';
  if (hasLabel(error, 'TransientTransactionError')) return 'transaction';
  const code = codeOf(error);
  if (code !== null) return BY_CODE[code] ?? (hasLabel(error, 'RetryableWriteError') ? 'connection' : 'fatal');
  if (hasLabel(error, 'RetryableWriteError')) return 'connection';
  return isNetworkError(error) || DNS_CODES.has(textCodeOf(error) ?? '') ? 'connection' : null;
}
