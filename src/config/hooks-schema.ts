/** What hooks may be, and what migrates a tenant. */
import { DRIVER_NAMES } from '../tenant.js';
import { checkAs, checked, explained, hook, isObject, loose, natural, oneOf, type Part, refuse, strict, text } from './schema-parts.js';

const directory = { directory: text };
const howToRead = {
  format: oneOf('auto', 'files', 'prisma', 'drizzle', 'golang-migrate', 'flyway'),
  schemas: strict({ public: oneOf('tenant') }),
};

export const sqlMigrations = strict(directory, howToRead);

const builtIn = strict({ type: oneOf('sql-migrations'), ...directory }, howToRead);

const migrator = loose(
  { type: oneOf('migrator'), name: text, run: hook, target: hook, readVersion: hook },
  { pending: hook, versions: hook, lockScope: oneOf('tenant', 'database', 'none'), connections: natural },
);

const anyMigrateHook = migrateHookOf(shapeOfOne);

const byDriver = strict({
  type: oneOf('by-driver'),
  drivers: strict({}, Object.fromEntries(DRIVER_NAMES.map((driver) => [driver, anyMigrateHook]))),
});

const migrateHook = migrateHookOf((type) => (type === 'by-driver' ? byDriver : shapeOfOne(type)));

function shapeOfOne(type: unknown): Part | null {
  if (type === 'sql-migrations') return builtIn;
  return type === 'migrator' ? migrator : null;
}

function migrateHookOf(shapeOf: (type: unknown) => Part | null): Part {
  return checked((context) => {
    const { value } = context;
    if (typeof value === 'function') return;
    const shape = isObject(value) ? shapeOf(value['type']) : null;
    if (shape !== null) checkAs(context, shape, value);
    else
      refuse(
        context,
        'expected sqlMigrations({ directory }), a migrator { type: "migrator", name, run, target, readVersion }, or a function',
      );
  });
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

const seedHook = explained((value) => {
  const isSound = Array.isArray(value) ? value.every((item) => typeof item === 'function') : typeof value === 'function';
  return isSound ? null : "expected a function `(ctx) => …` such as sqlSeed('./plans.sql'), or an array of them; files go into `seeds`";
});

export const hooks = strict({}, { ...Object.fromEntries(hookNames.map((name) => [name, hook])), migrate: migrateHook, seed: seedHook });
