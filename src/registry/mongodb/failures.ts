import { TenancyError } from '../../errors.js';
import { isNetworkError, isTlsCode, textCodeOf } from '../../util/network-errors.js';
import { redact } from '../../util/redact.js';
import { describeNetworkCode, isAbsentCode } from '../network-failures.js';
import type { RegistryPlace } from './place.js';

/**
 * The server undid what it was asked, or the connection was lost with the answer still out. Codes and labels from MongoDB's specifications
 * of retryable writes and of transactions; the client library's own errors have names.
 */
export function isTransient(error: unknown): boolean {
  return isConflict(error) || isConnectionFailure(error);
}

/** 24 LockTimeout, 46 LockBusy, 50 MaxTimeMSExpired (a limit of ours), 112 WriteConflict, 246 SnapshotUnavailable, 251 NoSuchTransaction. */
const CONFLICTS: ReadonlySet<number> = new Set([24, 46, 50, 112, 246, 251]);

/** Somebody else has, or had, the documents that this one wants. */
export function isConflict(error: unknown): boolean {
  if (isConnectionFailure(error)) return false;
  return hasLabel(error, 'TransientTransactionError') || CONFLICTS.has(codeOf(error) ?? 0) || isDuplicate(error);
}

/** Nothing of the transaction is left, so it can be run anew. */
export function isUndone(error: unknown): boolean {
  return hasLabel(error, 'TransientTransactionError');
}

/** The commit may have come through; it can be sent again as often as one likes. */
export function isCommitUnknown(error: unknown): boolean {
  return hasLabel(error, 'UnknownTransactionCommitResult') || (isConnectionFailure(error) && !isUndone(error));
}

/** Of two that enter the same key at once, the later one sees in its next look what the first one made. */
function isDuplicate(error: unknown): boolean {
  return codeOf(error) === 11_000;
}

/** Stepped down, shut down, unreachable from where we asked, not (or no longer) the primary. */
const SERVER_AWAY: ReadonlySet<number> = new Set([6, 7, 89, 91, 189, 262, 9001, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436]);

const CLIENT_ERRORS =
  /^(PoolClearedOnNetwork|Mongo(Network|NetworkTimeout|PoolCleared|PoolClosed|ServerSelection|WaitQueueTimeout|ServerClosed|TopologyClosed|ClientClosed|NotConnected))Error$/;

function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // The client library lets through what a socket says that was reset while it was being written to.
  return CLIENT_ERRORS.test(error.name) || SERVER_AWAY.has(codeOf(error) ?? 0) || isLostBatch(error) || isNetworkError(error);
}

/** Of a batch whose connection was lost only this is left: the server's own errors have a code. */
function isLostBatch(error: Error): boolean {
  return error.name === 'MongoBulkWriteError' && codeOf(error) === undefined;
}

export function isAbsent(error: unknown): boolean {
  return isAbsentCode(networkCodeOf(error));
}

const NO_TLS = /before secure TLS connection/;

/** Neither will it for one that speaks no TLS, or has a certificate that isn't trusted. */
export function isTlsFailure(error: unknown): boolean {
  return error instanceof Error && (isTlsCode(networkCodeOf(error)) || NO_TLS.test(error.message));
}

/** What is wrong with a deployment as a whole. */
export type DeploymentFault = 'standalone' | 'not-initiated' | 'no-primary';

const FAULTS = {
  standalone: 'it is a single server, outside of a replica set',
  'not-initiated': 'its replica set has not been initiated',
} as const;

export function toDeploymentError(fault: DeploymentFault, { where }: RegistryPlace, cause?: unknown): TenancyError {
  if (fault !== 'no-primary') return new TenancyError('TENANCY_REGISTRY_NO_TRANSACTIONS', { where, reason: FAULTS[fault] }, { cause });
  return new TenancyError('TENANCY_REGISTRY_UNREACHABLE', { where, reason: 'its replica set has no primary' }, { cause });
}

/** Puts what the server or the network said into our own codes; what neither of them said is passed on as it is. */
export function toRegistryError(error: unknown, place: RegistryPlace): unknown {
  if (error instanceof TenancyError || !(error instanceof Error)) return error;
  const { where, database, user } = place;
  const code = codeOf(error) ?? 0;
  const reason = describeReason(error, place);
  const cause = { cause: error };
  if (code === 10_107 || code === 13_435) return new TenancyError('TENANCY_REGISTRY_READ_ONLY', { where }, cause);
  if (isTlsCode(networkCodeOf(error))) {
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: `TLS failed: ${reason}` }, cause);
  }
  if (NO_TLS.test(reason)) {
    const noTls = 'it asks for TLS, and the server has none, or cut the connection; tls=false in it does without';
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: noTls }, cause);
  }
  if (isConnectionFailure(error) || isAbsent(error)) return new TenancyError('TENANCY_REGISTRY_UNREACHABLE', { where, reason }, cause);
  if (isLoginFailure(error, code)) return new TenancyError('TENANCY_REGISTRY_LOGIN_REFUSED', { where, reason: redact(reason) }, cause);
  if (code === 13 || code === 8000) {
    return new TenancyError('TENANCY_REGISTRY_FORBIDDEN', { where, database, user, reason: redact(reason), grant: grantOf(place) }, cause);
  }
  if (code === 20 && /Transaction numbers/i.test(error.message)) return toDeploymentError('standalone', place, error);
  // InvalidNamespace, and a database whose name differs in case only.
  if (code === 73 || code === 13_297)
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: redact(reason) }, cause);
  // Only what the server said has a code that is a number.
  if (code === 0) return error;
  return new TenancyError('TENANCY_REGISTRY_FAILED', { where, reason: redact(reason), serverCode: String(code) }, cause);
}

/** 18 AuthenticationFailed, 334 MechanismUnavailable; Atlas puts a wrong password into its own 8000. */
function isLoginFailure(error: Error, code: number): boolean {
  if (code === 18 || code === 334 || error.name === 'MongoMissingCredentialsError') return true;
  return (code === 8000 && /bad auth/i.test(error.message)) || (code === 13 && /requires authentication/i.test(error.message));
}

function grantOf({ database, user }: RegistryPlace): string {
  return `let the user read and write there: \`db.getSiblingDB(${JSON.stringify(database)}).grantRolesToUser(${JSON.stringify(user)}, ['readWrite'])\`, in the database that the user is of`;
}

function describeReason(error: Error, { replicaSet }: RegistryPlace): string {
  const ofNetwork = describeNetworkCode(networkCodeOf(error));
  if (ofNetwork !== undefined) return ofNetwork;
  if (codeOf(error) === 112) return 'another process kept the same tenants for too long';
  if (codeOf(error) === 13 && /requires authentication/i.test(error.message)) return 'it wants a login, and registry.url has none';
  const ofServer = firstServerError(error);
  if (ofServer instanceof Error) return ofServer.message;
  if (/timed? ?out/i.test(error.message)) {
    return replicaSet === null ? 'it did not answer in time' : `no server of the replica set ${replicaSet} answered in time`;
  }
  return error.message === '' ? error.name : error.message;
}

/** What the server answered. */
export function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

/** What the network or TLS said, which the client library wraps, and Node joins for several addresses. */
function networkCodeOf(error: unknown, depth = 0): string | null {
  if (!(error instanceof Error) || depth > 5) return null;
  return textCodeOf(error) ?? networkCodeOf(error.cause, depth + 1) ?? networkCodeOf(firstServerError(error), depth + 1);
}

/** A selection of a server that failed tells of each server why. */
function firstServerError(error: Error): unknown {
  return [...(serversOf(error)?.values() ?? [])].map((server) => server.error).find((each) => each != null);
}

function serversOf(error: Error): ReadonlyMap<string, { readonly error: unknown }> | undefined {
  if (!('reason' in error) || typeof error.reason !== 'object' || error.reason === null || !('servers' in error.reason)) return undefined;
  return error.reason.servers instanceof Map ? error.reason.servers : undefined;
}

function hasLabel(error: unknown, label: string): boolean {
  return (
    error instanceof Error && 'hasErrorLabel' in error && typeof error.hasErrorLabel === 'function' && error.hasErrorLabel(label) === true
  );
}
