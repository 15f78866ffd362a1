import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { markerPrefix } from './marker.js';
import { quoteName, quoteText } from './quote.js';

/** Where a tenant's logins have their rights. */
export interface LoginHome {
  /** Null: the one that the cluster's URL names. */
  readonly database: string | null;
  /** Null: all of a database of the tenant's own. */
  readonly schema: string | null;
}

const NOT_OURS = 'tenancy:home-not-ours';

/**
 * Fails, in the transaction that gives rights on it, where the home isn't this life of the tenant's: a process that stood still meanwhile must not open the
 * next one's to the last one's login.
 */
export function assertHome(target: TenantTarget, { schema }: LoginHome): string {
  const comment =
    schema === null
      ? `shobj_description((SELECT oid FROM pg_database WHERE datname = current_database()), 'pg_database')`
      : `obj_description(to_regnamespace(${quoteText(quoteName(schema))})::oid, 'pg_namespace')`;
  return `SELECT CASE WHEN NOT coalesce(starts_with(${comment}, ${quoteText(markerPrefix(target.marker))}), false) THEN current_setting('${NOT_OURS}') END`;
}

/** Words what `assertHome` fails with. */
export async function refuseOtherHome<T>(target: TenantTarget, { schema }: LoginHome, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(NOT_OURS)) throw error;
    const kind = schema === null ? 'database' : 'schema';
    const details = { tenant: target.marker.tenant, name: target.name, kind, owner: "doesn't carry its marker" };
    throw new TenancyError('TENANCY_HOME_NOT_OURS', details, { cause: error });
  }
}
