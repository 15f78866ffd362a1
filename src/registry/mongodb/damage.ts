import { TenancyError } from '../../errors.js';
import { PREFIX, REGISTRY_COLLECTIONS } from './collections.js';
import type { RegistryConnection } from './connection.js';

/** So many of them under the very names are no coincidence. */
const FEWEST_REMAINS = 3;

const OUR_COLLECTIONS = `the collections ${PREFIX}*`;

/**
 * For one that was opened. MongoDB answers for a collection that is gone as for an empty one, and makes it anew with the first document,
 * so nobody would notice without looking. @throws TenancyError `TENANCY_REGISTRY_DAMAGED`
 */
export async function checkCollections(db: RegistryConnection): Promise<void> {
  refuseMissing(db, await listCollections(db));
}

/** Whether one of the registry's own is not among these. */
export function lacksAny(names: readonly string[]): boolean {
  return listMissing(names).length > 0;
}

/** @throws TenancyError `TENANCY_REGISTRY_DAMAGED` */
function refuseMissing(db: RegistryConnection, names: readonly string[]): void {
  const missing = listMissing(names);
  if (missing.length > 0) throw damaged(db, `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`);
}

/**
 * Where no registry was found, and none is being made: one that has lost the collections that tell is no place for a new one, nor are names that
 * somebody else has taken. @throws TenancyError `TENANCY_REGISTRY_DAMAGED`, `TENANCY_REGISTRY_SCHEMA_TAKEN`
 */
export function refuseRemains(db: RegistryConnection, names: readonly string[]): void {
  if (REGISTRY_COLLECTIONS.length - listMissing(names).length >= FEWEST_REMAINS) {
    refuseMissing(db, names);
    throw damaged(db, `${PREFIX}registry has lost its document`);
  }
}

/** @throws TenancyError `TENANCY_REGISTRY_SCHEMA_TAKEN` */
export function refuseStrangers({ place }: RegistryConnection, names: readonly string[]): void {
  if (names.length > 0) throw new TenancyError('TENANCY_REGISTRY_SCHEMA_TAKEN', { where: place.where, collections: names.join(', ') });
}

export function damaged({ place }: RegistryConnection, damage: string): TenancyError {
  return new TenancyError('TENANCY_REGISTRY_DAMAGED', { where: place.where, damage, collections: OUR_COLLECTIONS });
}

/** All that begin with our prefix. */
export async function listCollections({ database, send }: RegistryConnection): Promise<readonly string[]> {
  const filter = { name: { $regex: `^${PREFIX.replace('.', '\\.')}` } };
  const found = await send(() => database.listCollections(filter, { nameOnly: true, authorizedCollections: true }).toArray());
  return found.map(({ name }) => name).sort();
}

function listMissing(names: readonly string[]): readonly string[] {
  return REGISTRY_COLLECTIONS.map((name) => `${PREFIX}${name}`).filter((name) => !names.includes(name));
}
