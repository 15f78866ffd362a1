import { TenancyError } from '../../errors.js';
import type { RegistryConnection } from './connection.js';
import { OUR_TABLES } from './failures.js';

/** What the migrations make, all of them called tenancy_…, and the table that tells which have been applied. */
export const REGISTRY_TABLES = [
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
].map((name) => `tenancy_${name}`);

/** For one that was opened. @throws TenancyError `TENANCY_REGISTRY_DAMAGED` */
export async function checkTables(db: RegistryConnection): Promise<void> {
  const missing = await listMissing(db);
  if (missing.length > 0) throw damaged(db, `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`);
}

/** Where no registry was found: what has lost the tables that tell is no place for a new one, nor is what has tables of these names. */
export async function refuseRemains(db: RegistryConnection): Promise<void> {
  const missing = await listMissing(db);
  const there = REGISTRY_TABLES.filter((name) => !missing.includes(name));
  // None: another process has made it since.
  if (missing.length === 0 || there.length === 0) return;
  if (there.length >= FEWEST_REMAINS) await checkTables(db);
  throw new TenancyError('TENANCY_REGISTRY_SCHEMA_TAKEN', { where: db.place.where, collections: there.join(', ') });
}

/** So many of them under the very names are no coincidence. */
const FEWEST_REMAINS = 3;

async function listMissing(db: RegistryConnection): Promise<readonly string[]> {
  const rows = await db.read<{ name: string }>(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (?)',
    [REGISTRY_TABLES],
  );
  const found = new Set(rows.map(({ name }) => name));
  return REGISTRY_TABLES.filter((name) => !found.has(name));
}

export function damaged(db: RegistryConnection, damage: string): TenancyError<'TENANCY_REGISTRY_DAMAGED'> {
  return new TenancyError('TENANCY_REGISTRY_DAMAGED', { where: db.place.where, damage, collections: OUR_TABLES });
}
