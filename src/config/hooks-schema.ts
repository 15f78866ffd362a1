/** What hooks may be, and what migrates a tenant. */
import * as z from 'zod/mini';
import { DRIVER_NAMES } from '../tenant.js';
import { checkAs, explained, hook, later, strict, text } from './schema-parts.js';

export const sqlMigrations = {
  directory: text,
  format: z.optional(z.enum(['auto', 'files', 'prisma', 'drizzle', 'golang-migrate', 'flyway'])),
  schemas: z.optional(strict({ public: z.literal('tenant') })),
};

const migrator = (): z.ZodMiniType =>
  z.looseObject({
    type: z.literal('migrator'),
    name: text,
    run: hook,
    target: hook,
    readVersion: hook,
    pending: z.optional(hook),
    versions: z.optional(hook),
    lockScope: z.optional(z.enum(['tenant', 'database', 'none'])),
    connections: z.optional(z.int().check(z.nonnegative())),
  });

const anyMigrateHook = z.unknown().check((context) => checkMigrateHook(context, shapeOfOne));

const byDriver = (): z.ZodMiniType =>
  strict({
    type: z.literal('by-driver'),
    drivers: strict(Object.fromEntries(DRIVER_NAMES.map((driver) => [driver, z.optional(anyMigrateHook)]))),
  });

const migrateHook = z
  .unknown()
  .check((context) => checkMigrateHook(context, (type) => (type === 'by-driver' ? byDriver() : shapeOfOne(type))));

function shapeOfOne(type: unknown): z.ZodMiniType | null {
  if (type === 'sql-migrations') return strict({ type: z.literal(type), ...sqlMigrations });
  return type === 'migrator' ? migrator() : null;
}

function checkMigrateHook(context: z.core.ParsePayload<unknown>, shapeOf: (type: unknown) => z.ZodMiniType | null): void {
  const { value } = context;
  if (typeof value === 'function') return;
  const type = typeof value === 'object' && value !== null ? (value as { readonly type?: unknown }).type : undefined;
  const shape = shapeOf(type);
  if (shape === null) {
    const message = 'expected sqlMigrations({ directory }), a migrator { type: "migrator", name, run, target, readVersion }, or a function';
    context.issues.push({ code: 'custom', message, input: value });
    return;
  }
  checkAs(context, shape, value);
}

const hookNames = [
  'create',
  'drop',
  'backup',
  'verify',
  'beforeCreate',
  'afterCreate',
  'beforeMigrate',
  'afterMigrate',
  'beforeSeed',
  'afterSeed',
  'beforeBackup',
  'afterBackup',
  'beforeVerify',
  'afterVerify',
  'beforeDrop',
  'afterDrop',
  'gate',
  'onEvent',
] as const;

export const hooks = later(() =>
  strict({
    ...Object.fromEntries(hookNames.map((name) => [name, z.optional(hook)])),
    migrate: z.optional(migrateHook),
    seed: z.optional(explained(explainSeed)),
  }),
);

function explainSeed(value: unknown): string | null {
  const isSound = Array.isArray(value) ? value.every((item) => typeof item === 'function') : typeof value === 'function';
  return isSound ? null : "expected a function `(ctx) => …` such as sqlSeed('./plans.sql'), or an array of them; files go into `seeds`";
}
