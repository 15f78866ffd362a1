import type { TenantSession } from '../../driver.js';
import type { MigrationSessionDeps } from '../session-deps.js';
import { applyMigrations } from './apply-migrations.js';
import { createMigrateContext } from './context.js';
import { readHistory } from './read-history.js';

/** How migrations are carried out inside one tenant, on the connection that is lent. */
export function createMigrationSession(deps: MigrationSessionDeps): Omit<TenantSession, 'db'> {
  const context = createMigrateContext(deps);
  return {
    readHistory: () => readHistory(context),
    applyMigrations: (steps, options) => applyMigrations(context, steps, options),
    revertMigrations: () => Promise.reject(new Error('not yet')),
    applySeed: () => Promise.reject(new Error('not yet')),
    recordApplied: () => Promise.reject(new Error('not yet')),
    resolveProgress: () => Promise.reject(new Error('not yet')),
  };
}
