import type { Hook } from '../src/config/types.js';
import { requireDriver } from './require-driver.js';

/**
 * For tenants with a PostgreSQL database each. Both hooks do what is done for such a tenant when none is configured;
 * wrap them to add work of one's own.
 *
 * On a tenant of another driver they fail with `TENANCY_HOOK_DRIVER_MISMATCH` before they touch anything.
 */
export const postgresDatabase = {
  /** Creates the tenant's database and marks it as ours; finishes or adopts what an interrupted attempt has made. */
  create(): Hook {
    const create: Hook = async (ctx) => {
      requireDriver(ctx, 'postgres-database', 'postgresDatabase.create()');
      await ctx.driver.create();
    };
    return Object.assign(create, { isOwnOf: 'postgres-database' as const });
  },
  /** Ends the sessions of the database and drops it, if it carries our mark. */
  drop(): Hook {
    return async (ctx) => {
      requireDriver(ctx, 'postgres-database', 'postgresDatabase.drop()');
      await ctx.driver.drop();
    };
  },
};
