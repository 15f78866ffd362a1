import type { Document } from './values.js';

/** The server's error codes that the stand-in gives, after the server's `error_codes.yml`. */
const codeNames = {
  1: 'InternalError',
  2: 'BadValue',
  9: 'FailedToParse',
  11: 'UserNotFound',
  13: 'Unauthorized',
  14: 'TypeMismatch',
  18: 'AuthenticationFailed',
  20: 'IllegalOperation',
  26: 'NamespaceNotFound',
  27: 'IndexNotFound',
  28: 'PathNotViable',
  31: 'RoleNotFound',
  40: 'ConflictingUpdateOperators',
  43: 'CursorNotFound',
  48: 'NamespaceExists',
  50: 'MaxTimeMSExpired',
  52: 'DollarPrefixedFieldName',
  53: 'InvalidIdField',
  56: 'EmptyFieldName',
  59: 'CommandNotFound',
  66: 'ImmutableField',
  67: 'CannotCreateIndex',
  72: 'InvalidOptions',
  73: 'InvalidNamespace',
  76: 'NoReplicationEnabled',
  85: 'IndexOptionsConflict',
  86: 'IndexKeySpecsConflict',
  100: 'UnsatisfiableWriteConcern',
  112: 'WriteConflict',
  115: 'CommandNotSupported',
  121: 'DocumentValidationFailure',
  168: 'InvalidPipelineOperator',
  197: 'InvalidIndexSpecificationOption',
  225: 'TransactionTooOld',
  237: 'CursorKilled',
  238: 'NotImplemented',
  251: 'NoSuchTransaction',
  256: 'TransactionCommitted',
  263: 'OperationNotSupportedInTransaction',
  279: 'ClientDisconnect',
  334: 'ClientMarkedKilled',
  10107: 'NotWritablePrimary',
  10334: 'BSONObjectTooLarge',
  11000: 'DuplicateKey',
  11600: 'InterruptedAtShutdown',
  11601: 'Interrupted',
  11602: 'InterruptedDueToReplStateChange',
  13297: 'DatabaseDifferCase',
  13388: 'StaleConfig',
  13435: 'NotPrimaryNoSecondaryOk',
  13436: 'NotPrimaryOrSecondary',
  189: 'PrimarySteppedDown',
  91: 'ShutdownInProgress',
  6: 'HostUnreachable',
  7: 'HostNotFound',
  89: 'NetworkTimeout',
  9001: 'SocketException',
  134: 'ReadConcernMajorityNotAvailableYet',
  262: 'ExceededTimeLimit',
  246: 'SnapshotUnavailable',
  24: 'LockTimeout',
} as const satisfies Record<number, string>;

/** What a command answers with `ok: 0`. */
export class CommandError extends Error {
  readonly code: number;
  /** Fields beside `code` and `errmsg`, such as `keyPattern` and `keyValue`. */
  readonly extra: Document;

  constructor(code: number, message: string, extra: Document = {}) {
    super(message);
    this.code = code;
    this.extra = extra;
  }

  get codeName(): string {
    return codeNameOf(this.code);
  }
}

export function codeNameOf(code: number): string {
  return (codeNames as Record<number, string>)[code] ?? `Location${code}`;
}

/** Of the retryable writes specification: the server labels them itself since 4.4. */
const retryableWriteCodes = new Set([6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

const transientTransactionCodes = new Set([...retryableWriteCodes, 24, 112, 246, 251]);

/** The labels the server itself gives an error, by where it came up. */
export function labelsOf(code: number, where: { inTransaction: boolean; isCommit: boolean; isRetryableWrite: boolean }): string[] {
  if (where.inTransaction && !where.isCommit) return transientTransactionCodes.has(code) ? ['TransientTransactionError'] : [];
  if (where.isCommit && code === 251) return ['TransientTransactionError'];
  return (where.isRetryableWrite || where.isCommit) && retryableWriteCodes.has(code) ? ['RetryableWriteError'] : [];
}
