import { describe, expect, test } from 'vitest';
import { postgresDatabase, postgresSchema, sqlMigrations, sqlSeed } from '../../hooks/index.js';
import type { Hook, HookContext } from '../../src/config/types.js';
import type { DriverName } from '../../src/tenant.js';

/** What the ready-made hooks look at; `calls` is what they did. */
function createContext(name: DriverName): { ctx: HookContext; calls: string[] } {
  const calls: string[] = [];
  const note = (call: string) => () => {
    calls.push(call);
    return Promise.resolve();
  };
  const ctx = {
    tenant: { id: 'acme' },
    driver: { name, create: note('create'), drop: note('drop') },
    seed: (file: string) => note(`seed ${file}`)(),
  } as unknown as HookContext;
  return { ctx, calls };
}

describe.each<[string, DriverName, DriverName, { create(): Hook; drop(): Hook }]>([
  ['postgresSchema', 'postgres-schema', 'postgres-database', postgresSchema],
  ['postgresDatabase', 'postgres-database', 'postgres-schema', postgresDatabase],
])('%s', (hook, own, other, { create, drop }) => {
  test('does what the driver does', async () => {
    const { ctx, calls } = createContext(own);
    await create()(ctx);
    await drop()(ctx);
    expect(calls).toEqual(['create', 'drop']);
  });

  test('does nothing to a tenant of another driver, and says so', async () => {
    const { ctx, calls } = createContext(other);
    await expect(async () => create()(ctx)).rejects.toMatchObject({
      code: 'TENANCY_HOOK_DRIVER_MISMATCH',
      message: `acme: ${hook}.create() is for ${own} tenants, and this one is a ${other} tenant`,
    });
    await expect(async () => drop()(ctx)).rejects.toThrow(`${hook}.drop()`);
    expect(calls).toEqual([]);
  });
});

test('sqlMigrations names the built-in migrator', () => {
  expect(sqlMigrations({ directory: './m', format: 'prisma' })).toEqual({ type: 'sql-migrations', directory: './m', format: 'prisma' });
});

test('sqlSeed runs its file through the context, which knows whether it was run before', async () => {
  const { ctx, calls } = createContext('postgres-schema');
  await sqlSeed('./plans.sql')(ctx);
  expect(calls).toEqual(['seed ./plans.sql']);
});
