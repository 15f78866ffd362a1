import type { TenantSession } from '../../driver.js';
import type { MigrationSessionDeps } from '../run-session.js';
import { applyMigrations, revertMigrations } from './apply-migrations.js';
import { createMigrateContext } from './context.js';
import { readHistory, readMirror } from './read-history.js';
import { applySeed } from './seed.js';
import { recordApplied, resolveProgress } from './settle.js';

/** How migrations are carried out inside one tenant, on the connection that is lent. */
export function createMigrationSession(deps: MigrationSessionDeps): Omit<TenantSession, 'db'> {
  const context = createMigrateContext(deps);
  return {
    readHistory: () => readHistory(context),
    applyMigrations: (steps, options) => applyMigrations(context, steps, options),
    revertMigrations: (steps, options) => revertMigrations(context, steps, options),
    applySeed: (seed, options) => applySeed(context, seed, options),
    recordApplied: (migrations) => recordApplied(context, migrations),
    readMirror: () => readMirror(context),
    resolveProgress: (answer) => resolveProgress(context, answer),
  };
}
