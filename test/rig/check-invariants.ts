import { checkInvariants as checkPostgres, checksumTenants as checksumPostgres, type InvariantsOptions } from './invariants.js';

/** Looks at what must be true after any fault (see `invariants.ts`), on whichever engine the registry and the cluster are: both on one. */
export async function checkInvariants(options: InvariantsOptions): Promise<void> {
  const { protocol } = new URL(options.registryUrl);
  if (protocol === 'mysql:') return (await import('./invariants-mysql.js')).checkMysqlInvariants(options);
  if (protocol === 'mongodb:') return (await import('./invariants-mongodb.js')).checkMongodbInvariants(options);
  return checkPostgres(options);
}

/** Checksums of whole homes, to hand to `checkInvariants` later. */
export async function checksumTenants(adminUrl: string, registryUrl: string, ids: readonly string[]): Promise<Map<string, string>> {
  const { protocol } = new URL(registryUrl);
  if (protocol === 'mysql:') return (await import('./invariants-mysql.js')).checksumMysqlTenants(adminUrl, registryUrl, ids);
  if (protocol === 'mongodb:') return (await import('./invariants-mongodb.js')).checksumMongodbTenants(adminUrl, registryUrl, ids);
  return checksumPostgres(adminUrl, registryUrl, ids);
}
