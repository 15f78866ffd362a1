import type { OpenRegistryOptions, Registry } from '../registry.js';
import { createBackupBook } from './backups.js';
import { createChangeWriter } from './changes.js';
import { createClusterRegister } from './clusters.js';
import { openRegistryConnection } from './connection.js';
import { checkCollections } from './damage.js';
import { createAuditBook } from './events.js';
import { createLeaseKeeper } from './leases.js';
import { ensureRegistry } from './migrate.js';
import { createOutcomeBook } from './outcomes.js';
import { createPreparedHomeBook } from './prepared-homes.js';
import { createTenantRegister } from './register.js';
import { createRunControl } from './run-control.js';
import { createRunBook } from './runs.js';
import { createStepJournal } from './steps.js';
import { createTenantReader } from './tenants.js';

/** A registry in the collections `tenancy.*` of the database that the URL names, else of the database `tenancy`. Needs a replica set, of one server at least. */
export async function openMongodbRegistry(options: OpenRegistryOptions): Promise<Registry> {
  const db = await openRegistryConnection(options);
  try {
    const id = await ensureRegistry(db, options.create);
    return {
      id,
      where: db.place.where,
      checkTables: () => checkCollections(db),
      ...createClusterRegister(db),
      ...createTenantReader(db),
      ...createTenantRegister(db),
      ...createLeaseKeeper(db),
      ...createChangeWriter(db),
      ...createStepJournal(db),
      ...createRunBook(db),
      ...createRunControl(db),
      ...createOutcomeBook(db),
      ...createAuditBook(db),
      ...createPreparedHomeBook(db),
      ...createBackupBook(db),
      close: db.close,
    };
  } catch (error) {
    await db.close();
    throw error;
  }
}
