import { TenancyError } from '../../errors.js';
import { isNetworkError, isTlsError, textCodeOf } from '../../util/network-errors.js';
import { redact } from '../../util/redact.js';
import { describeNetworkCode, isAbsentCode } from '../network-failures.js';
import type { RegistryPlace } from '../place.js';

/**
 * The server rolled the statement back, or the connection was lost with the answer still out (then it may have been carried out).
 * SQLSTATE classes from PostgreSQL's appendix A; node-pg's own errors have no code.
 */
export function isTransient(error: unknown): boolean {
  const code = textCodeOf(error);
  return code === '40001' || code === '40P01' || isConnectionFailure(error);
}

/** 57P01–03: shut down, crashed, starting. 57P05: idle too long. 53300: too many connections. */
const SERVER_AWAY = /^(08...|57P01|57P02|57P03|57P05|53300)$/;

const NODE_PG_SENTENCES =
  /^(Connection terminated|timeout e|Query read timeout|Client has encountered a connection error|Client was closed|read ECONN|write E)/;

function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = textCodeOf(error);
  return code === null ? NODE_PG_SENTENCES.test(error.message) : SERVER_AWAY.test(code) || isNetworkError(error);
}

export function isAbsent(error: unknown): boolean {
  const code = textCodeOf(error);
  return code === null ? error instanceof Error && /timeout/.test(error.message) : isAbsentCode(code);
}

/** Undefined table, column or function, or no such schema: nothing of the registry's is ever missing of itself. */
const DAMAGE: ReadonlySet<string> = new Set(['42P01', '42703', '42883', '3F000']);

/** Puts what the server or the network said into our own codes; what neither of them said is passed on as it is. */
export function toRegistryError(error: unknown, place: RegistryPlace): unknown {
  if (error instanceof TenancyError || !(error instanceof Error)) return error;
  const code = textCodeOf(error) ?? '';
  const { where } = place;
  const reason = describeReason(error);
  const cause = { cause: error };
  if (isConnectionFailure(error)) return new TenancyError('TENANCY_REGISTRY_UNREACHABLE', { where, reason }, cause);
  if (code === '25006') return new TenancyError('TENANCY_REGISTRY_READ_ONLY', { where }, cause);
  if (code === '3D000') return new TenancyError('TENANCY_REGISTRY_DATABASE_MISSING', { where, database: place.database }, cause);
  if (code === '42501') return new TenancyError('TENANCY_REGISTRY_FORBIDDEN', { ...place, reason }, cause);
  if (code.startsWith('28')) return new TenancyError('TENANCY_REGISTRY_LOGIN_REFUSED', { where, reason }, cause);
  if (/^SASL|password must be a string/.test(error.message)) {
    return new TenancyError('TENANCY_REGISTRY_LOGIN_REFUSED', { where, reason: 'it wants a password, and registry.url has none' }, cause);
  }
  if (/does not support SSL/.test(error.message)) {
    const noTls = 'its sslmode asks for TLS, and the server has none; sslmode=disable in it does without';
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: noTls }, cause);
  }
  if (isTlsError(error)) {
    return new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: where, reason: `TLS failed: ${reason}` }, cause);
  }
  // Only the server's own errors have a severity.
  if (!('severity' in error)) return error;
  if (DAMAGE.has(code)) return new TenancyError('TENANCY_REGISTRY_DAMAGED', { where, damage: redact(reason) }, cause);
  return new TenancyError('TENANCY_REGISTRY_FAILED', { where, sqlState: code, reason: redact(reason) }, cause);
}

function describeReason(error: Error): string {
  const code = textCodeOf(error);
  const ofNetwork = describeNetworkCode(code);
  if (ofNetwork !== undefined) return ofNetwork;
  if (/timeout/i.test(error.message)) return 'it did not answer in time';
  return error.message === '' ? (code ?? error.name) : error.message;
}

/** What the server answered, also where it has been put into a code of ours. */
export function sqlStateOf(error: unknown): string | null {
  return textCodeOf(error instanceof TenancyError ? error.cause : error);
}
