import { TenancyError } from '../errors.js';
import type { TenantHistory } from '../migrations/migration.js';
import type { Tenant } from '../tenant.js';

/**
 * A tenant that had migrations and has no history of them is not a new one. (A shorter history is believed: a backup was restored.)
 * @throws TenancyError `TENANCY_HISTORY_LOST`
 */
export function refuseLostHistory({ id, schemaVersion }: Tenant, { applied }: Pick<TenantHistory, 'applied'>): void {
  if (schemaVersion === null || applied.length > 0) return;
  throw new TenancyError('TENANCY_HISTORY_LOST', { tenant: id, recorded: schemaVersion });
}
