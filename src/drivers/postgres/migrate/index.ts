import type { TenantSession } from '../../driver.js';
import type { MigrationSessionDeps } from '../session-deps.js';
import { applyMigrations, revertMigrations } from './apply-migrations.js';
import { createMigrateContext } from './context.js';
import { readMirror } from './mirror.js';
import { withNotices } from './notices.js';
import { readHistory } from './read-history.js';
import { applySeed } from './seed.js';
import { recordApplied, resolveProgress } from './settle.js';

/** How migrations are carried out inside one tenant, on the connection that is lent. */
export function createMigrationSession(deps: MigrationSessionDeps): Omit<TenantSession, 'db'> {
  const context = createMigrateContext(deps);
  return {
    readHistory: () => readHistory(context),
    applyMigrations: (steps, options) => withNotices(deps.client, options.log, () => applyMigrations(context, steps, options)),
    revertMigrations: (steps, options) => withNotices(deps.client, options.log, () => revertMigrations(context, steps, options)),
    applySeed: (seed, options) => withNotices(deps.client, options?.log, () => applySeed(context, seed, options)),
    readMirror: () => readMirror(context),
    recordApplied: (migrations) => recordApplied(context, migrations),
    resolveProgress: (answer) => resolveProgress(context, answer),
  };
}
