import { defineError, EXIT } from './define.js';

export const hookErrors = {
  TENANCY_HOOK_DRIVER_MISMATCH: defineError<{ tenant: string; hook: string; needed: string; driver: string }>({
    exit: EXIT.usage,
    message: ({ tenant, hook, needed, driver }) => `${tenant}: ${hook} is for ${needed} tenants, and this one is a ${driver} tenant`,
    hint: ({ driver }) =>
      `use ${driver === 'postgres-schema' ? 'postgresSchema' : 'postgresDatabase'} in its place, or leave the hook out: each driver brings its own`,
  }),
};
