import type { Hook } from '../src/config/types.js';
import { requireDriver } from './require-driver.js';

/**
 * For tenants with a MongoDB database each. Both hooks do what is done for such a tenant when none is configured;
 * wrap them to add work of one's own, on `ctx.mongo()`:
 *
 * ```ts
 * hooks: { create: async (ctx) => { await mongodbDatabase.create()(ctx); await ctx.mongo<Db>().createCollection('orders') } }
 * ```
 *
 * On a tenant of another driver they fail with `TENANCY_HOOK_DRIVER_MISMATCH` before they touch anything.
 */
export const mongodbDatabase = {
  /** Creates the tenant's database by writing our mark into it, its first document; finds what an interrupted attempt has made. */
  create(): Hook {
    return async (ctx) => {
      requireDriver(ctx, 'mongodb-database', 'mongodbDatabase.create()');
      await ctx.driver.create();
    };
  },
  /** Drops the database, if it carries our mark, with the users defined in it and the roles that others have on it. */
  drop(): Hook {
    return async (ctx) => {
      requireDriver(ctx, 'mongodb-database', 'mongodbDatabase.drop()');
      await ctx.driver.drop();
    };
  },
};
