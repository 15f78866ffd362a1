import type { LocalMigration } from '../migrations/migration.js';

/** The first so many migrations, as what they leave behind: what a home that is made ahead has. */
export interface PreparableMigrations {
  readonly steps: readonly LocalMigration[];
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
}

export const NOTHING_PREPARABLE: PreparableMigrations = { steps: [], schemaVersion: null, migrationsHash: null };
