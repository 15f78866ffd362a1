import { TenancyError } from '../../errors.js';
import { causesOf, describeRootCause, isTlsError } from '../../util/network-errors.js';
import { isConnectionError, numberOf } from './classify.js';

/** What the server says of a failed start of a session. */
const REFUSALS: Readonly<Record<number, string>> = {
  1045: 'the login was not accepted',
  1130: 'this machine is not let in',
  1251: "the server's way of authentication is not known here",
  1698: 'the login was not accepted',
  1862: 'the password has expired',
  3118: 'the account is locked',
  3159: 'the server asks for TLS; ssl-mode=REQUIRED in the URL gives it',
  4151: 'the account is locked',
};

/** ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE, ER_INNODB_READ_ONLY */
const READ_ONLY: ReadonlySet<number> = new Set([1792, 1836, 1874]);
/** Of read_only and super_read_only among others: its words tell which. */
const OPTION_PREVENTS = 1290;

/** Turns an error that means "the cluster can't be talked to", or written to, into a sentence of its own. Null for every other error. */
export function describeUnreachable(
  cluster: string,
  where: string,
  error: unknown,
): TenancyError<'TENANCY_CLUSTER_UNREACHABLE'> | TenancyError<'TENANCY_CLUSTER_READ_ONLY'> | null {
  const readOnly = causesOf(error).find(isReadOnly);
  if (readOnly) {
    const setting = numberOf(readOnly) === OPTION_PREVENTS ? 'read_only' : 'tx_read_only (transaction_read_only)';
    return new TenancyError('TENANCY_CLUSTER_READ_ONLY', { cluster, where, reason: readOnly.message, setting }, { cause: error });
  }
  const reason = tlsFailureOf(error) ?? refusalOf(error) ?? (isConnectionError(error) ? describeRootCause(error) : null);
  return reason === null ? null : new TenancyError('TENANCY_CLUSTER_UNREACHABLE', { cluster, where, reason }, { cause: error });
}

function isReadOnly(error: Error): boolean {
  const number = numberOf(error);
  return READ_ONLY.has(number) || (number === OPTION_PREVENTS && /read[_-]only/.test(error.message));
}

function tlsFailureOf(error: unknown): string | null {
  for (const link of causesOf(error)) {
    const { code, path, syscall } = link as { code?: unknown; path?: unknown; syscall?: unknown };
    if (code === 'HANDSHAKE_NO_SSL_SUPPORT') return 'its ssl-mode asks for TLS, and the server has none; ssl-mode=DISABLED does without';
    if (code === 'ENOENT' && syscall === 'open') return `there is no file ${String(path)}, which its URL names`;
    if (isTlsError(link) || code === 'HANDSHAKE_SSL_ERROR') return `TLS failed: ${link.message}`;
  }
  return null;
}

function refusalOf(error: unknown): string | null {
  for (const link of causesOf(error)) {
    const reason = REFUSALS[numberOf(link)];
    if (reason !== undefined) return `${reason} (${link.message})`;
  }
  return null;
}
