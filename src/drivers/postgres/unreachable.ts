import { TenancyError } from '../../errors.js';
import { causesOf, isConnectionError } from './classify.js';

/** What the server says of a failed start of a session; the same states mean something else inside one. */
const REFUSALS: Readonly<Record<string, string>> = {
  '28P01': 'the password was not accepted',
  '28000': 'the login was not accepted',
  '3D000': 'there is no such database',
};

/**
 * For a command about one tenant: turns an error that means "the cluster can't be talked to" into a sentence of its own.
 * Null for every other error.
 */
export function describeUnreachable(cluster: string, where: string, error: unknown): TenancyError<'TENANCY_CLUSTER_UNREACHABLE'> | null {
  const reason = refusalOf(error, where.split(/[/?]/)[3] ?? '') ?? (isConnectionError(error) ? lastMessage(error) : null);
  return reason === null ? null : new TenancyError('TENANCY_CLUSTER_UNREACHABLE', { cluster, where, reason }, { cause: error });
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

function lastMessage(error: unknown): string {
  const link = causesOf(error).at(-1);
  const code = (link as { code?: string } | undefined)?.code;
  return link === undefined || link.message === '' ? (code ?? 'no answer') : link.message;
}
