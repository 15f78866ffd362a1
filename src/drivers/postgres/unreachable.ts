import { TenancyError } from '../../errors.js';
import { causesOf, describeRootCause, isTlsError } from '../../util/network-errors.js';
import { isConnectionError } from './classify.js';

/** What the server says of a failed start of a session; the same states mean something else inside one. */
const REFUSALS: Readonly<Record<string, string>> = {
  '28P01': 'the password was not accepted',
  '28000': 'the login was not accepted',
  '3D000': 'there is no such database',
};

/** Turns an error that means "the cluster can't be talked to", or written to, into a sentence of its own. Null for every other error. */
export function describeUnreachable(
  cluster: string,
  where: string,
  error: unknown,
): TenancyError<'TENANCY_CLUSTER_UNREACHABLE'> | TenancyError<'TENANCY_CLUSTER_READ_ONLY'> | null {
  const readOnly = causesOf(error).find((link) => (link as { code?: unknown }).code === '25006');
  if (readOnly) {
    const details = { cluster, where, reason: readOnly.message, setting: 'default_transaction_read_only' };
    return new TenancyError('TENANCY_CLUSTER_READ_ONLY', details, { cause: error });
  }
  const reason =
    tlsFailureOf(error) ?? refusalOf(error, where.split(/[/?]/)[3] ?? '') ?? (isConnectionError(error) ? describeRootCause(error) : null);
  return reason === null ? null : new TenancyError('TENANCY_CLUSTER_UNREACHABLE', { cluster, where, reason }, { cause: error });
}

/** node-pg's own sentence for a server that answers N to its SSLRequest; the codes are those of Node's TLS. */
function tlsFailureOf(error: unknown): string | null {
  for (const link of causesOf(error)) {
    if (/does not support SSL/.test(link.message))
      return 'its sslmode asks for TLS, and the server has none; sslmode=disable in the URL does without';
    if (isTlsError(link)) return `TLS failed: ${link.message}`;
  }
  return null;
}

function refusalOf(error: unknown, database: string): string | null {
  for (const link of causesOf(error)) {
    const { code, routine } = link as { code?: string; routine?: string };
    const reason = code === undefined ? undefined : REFUSALS[code];
    if (reason === undefined) continue;
    // A tenant's own database that isn't there is no failure of the cluster.
    if (code === '3D000' && (routine !== 'InitPostgres' || !link.message.includes(database))) return null;
    return `${reason} (${link.message})`;
  }
  return null;
}
