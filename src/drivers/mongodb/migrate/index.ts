import type { TenantSession } from '../../driver.js';
import { applyMigrations, revertMigrations } from './apply-migrations.js';
import type { MigrateContext } from './context.js';
import { readHistory } from './history.js';
import { applySeed } from './seed.js';
import { recordApplied, resolveProgress } from './settle.js';

/** How migrations are carried out inside one tenant, on the session that is lent. */
export function createMigrationSession(migrate: MigrateContext): Omit<TenantSession, 'db'> {
  return {
    readHistory: () => readHistory(migrate),
    applyMigrations: (steps, options) => applyMigrations(migrate, steps, options),
    revertMigrations: (steps, options) => revertMigrations(migrate, steps, options),
    applySeed: (seed, options) => applySeed(migrate, seed, options),
    recordApplied: (migrations) => recordApplied(migrate, migrations),
    resolveProgress: (answer) => resolveProgress(migrate, answer),
  };
}
