import type { SqlMigrations, SqlMigrationsOptions } from '../src/config/types.js';

/**
 * The built-in migrator, for `hooks.migrate`: `.sql` files (with optional `.down.sql`), TypeScript and JavaScript modules, or the
 * folders of Prisma. Each tenant keeps its own history; a file that was edited, deleted or slipped in after it was
 * applied is refused before anything runs. `docs/migrations.md` is the guide for those who write migrations.
 *
 * ```ts
 * hooks: { migrate: sqlMigrations({ directory: './migrations/tenant' }) }
 * ```
 */
export function sqlMigrations(options: SqlMigrationsOptions): SqlMigrations {
  return { ...options, type: 'sql-migrations' };
}
