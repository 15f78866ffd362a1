import { TenancyError } from '../../errors.js';
import { causesOf, describeRootCause, isTlsError } from '../../util/network-errors.js';
import { codeOf, isConnectionError } from './classify.js';

/**
 * For a command about one tenant: turns an error that means "the cluster can't be talked to" into a sentence of its own.
 * Null for every other error.
 */
export function describeUnreachable(cluster: string, where: string, error: unknown): TenancyError<'TENANCY_CLUSTER_UNREACHABLE'> | null {
  const reason = tlsFailureOf(error) ?? refusalOf(error) ?? (isConnectionError(error) ? describeRootCause(error) : null);
  return reason === null ? null : new TenancyError('TENANCY_CLUSTER_UNREACHABLE', { cluster, where, reason }, { cause: error });
}

function tlsFailureOf(error: unknown): string | null {
  for (const link of causesOf(error)) {
    if (isTlsError(link)) return `TLS failed: ${link.message}`;
  }
  return null;
}

/** 18: AuthenticationFailed; 8000: what Atlas says instead; 13 is this only where nobody has logged in. */
function refusalOf(error: unknown): string | null {
  for (const link of causesOf(error)) {
    const code = codeOf(link);
    if (code === 18 || (code === 8000 && /auth/i.test(link.message)))
      return `the login was not accepted (${link.message}); check the user, the password and authSource`;
    if (code === 13 && /requires authentication/.test(link.message)) return 'it asks for a login, and the URL has none';
  }
  return null;
}
