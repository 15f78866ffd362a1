import type { MigrateByDriver } from '../src/config/types.js';

/**
 * For fleets whose tenants live on several engines: a migrator for each driver, for `hooks.migrate`.
 *
 * ```ts
 * hooks: {
 *   migrate: byDriver({
 *     'postgres-schema': sqlMigrations({ directory: './migrations/postgres' }),
 *     'mysql-database': sqlMigrations({ directory: './migrations/mysql' }),
 *   }),
 * }
 * ```
 *
 * A tenant whose driver isn't named fails with `TENANCY_DRIVER_UNMIGRATED`.
 */
export function byDriver(drivers: MigrateByDriver['drivers']): MigrateByDriver {
  return { type: 'by-driver', drivers };
}
