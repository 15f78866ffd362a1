import type { Hook } from '../src/config/types.js';
import { requireDriver } from './require-driver.js';

/**
 * For tenants with a database each on MySQL or MariaDB. Both hooks do what is done for such a tenant when none is configured;
 * wrap them to add work of one's own.
 *
 * On a tenant of another driver they fail with `TENANCY_HOOK_DRIVER_MISMATCH` before they touch anything.
 */
export const mysqlDatabase = {
  /** Creates the tenant's database and marks it as ours; finishes or adopts what an interrupted attempt has made. */
  create(): Hook {
    return async (ctx) => {
      requireDriver(ctx, 'mysql-database', 'mysqlDatabase.create()');
      await ctx.driver.create();
    };
  },
  /** Ends the sessions in the database, drops it if it carries our mark, and takes away the rights that were granted on it. */
  drop(): Hook {
    return async (ctx) => {
      requireDriver(ctx, 'mysql-database', 'mysqlDatabase.drop()');
      await ctx.driver.drop();
    };
  },
};
