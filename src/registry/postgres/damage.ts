import { TenancyError } from '../../errors.js';
import type { RegistryConnection } from './connection.js';

/** What the migrations make, in the schema tenancy. */
export const REGISTRY_RELATIONS = [
  'registry_migrations',
  'registry',
  'clusters',
  'fences',
  'tenants',
  'steps',
  'runs',
  'run_tenants',
  'events',
  'prepared_homes',
  'backups',
  'audit_heads',
] as const;

/** So many of them under the very names are no coincidence. */
const FEWEST_REMAINS = 3;

/** For one that was opened. @throws TenancyError `TENANCY_REGISTRY_DAMAGED` */
export async function checkTables(db: RegistryConnection): Promise<void> {
  const missing = await listMissing(db);
  if (missing.length > 0) throw damaged(db, missing);
}

/** Where no registry was found: one that has lost the tables that tell is no place for a new one. @throws TenancyError `TENANCY_REGISTRY_DAMAGED` */
export async function refuseRemains(db: RegistryConnection): Promise<void> {
  const missing = await listMissing(db);
  // None: another process has made it since.
  if (missing.length > 0 && REGISTRY_RELATIONS.length - missing.length >= FEWEST_REMAINS) throw damaged(db, missing);
}

async function listMissing(db: RegistryConnection): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS known (name, place)
      WHERE to_regclass(format('tenancy.%I', name)) IS NULL ORDER BY place`,
    [REGISTRY_RELATIONS],
  );
  return rows.map(({ name }) => `tenancy.${name}`);
}

function damaged(db: RegistryConnection, missing: readonly string[]): TenancyError {
  const damage = `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`;
  return new TenancyError('TENANCY_REGISTRY_DAMAGED', { where: db.place.where, damage });
}
