import type { Hook } from '../src/config/types.js';
import { requireDriver } from './require-driver.js';

/**
 * For tenants that are schemas of a shared PostgreSQL database. Both hooks do what is done for such a tenant when none is
 * configured, so they are needed only to say so, or beside work of one's own:
 *
 * ```ts
 * hooks: { create: async (ctx) => { await postgresSchema.create()(ctx); await ctx.exec('./bin/create-bucket', [ctx.tenant.id]) } }
 * ```
 *
 * On a tenant of another driver they fail with `TENANCY_HOOK_DRIVER_MISMATCH` before they touch anything.
 */
export const postgresSchema = {
  /** Creates the tenant's schema and marks it as ours; finishes or adopts what an interrupted attempt has made. */
  create(): Hook {
    const create: Hook = async (ctx) => {
      requireDriver(ctx, 'postgres-schema', 'postgresSchema.create()');
      await ctx.driver.create();
    };
    return Object.assign(create, { isOwnOf: 'postgres-schema' as const });
  },
  /** Drops the schema and all in it, if it carries our mark; refuses where that would take something of others along. */
  drop(): Hook {
    return async (ctx) => {
      requireDriver(ctx, 'postgres-schema', 'postgresSchema.drop()');
      await ctx.driver.drop();
    };
  },
};
