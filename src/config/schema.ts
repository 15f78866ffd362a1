/** What a config may look like, and what to say where it doesn't. Knows nothing of defaults. */
import * as z from 'zod/mini';
import type { ConfigIssue } from '../errors/config-errors.js';
import { DRIVER_NAMES } from '../tenant.js';
import { explainDuration, explainWait } from '../util/duration.js';
import { explainRetention } from '../util/retention.js';
import type { BackupTool } from './backup-types.js';
import { wordIssues, wordUnknownKeys } from './config-issues.js';
import { explainWaves } from './parse-waves.js';
import { explainUrl } from './url.js';

const positive = z.int().check(z.positive());
const text = z.string().check(z.minLength(1));
const flag = z.boolean();

/** No keys but these; one that is nearly one of these is told so. */
function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodMiniObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? wordUnknownKeys(issue.keys, Object.keys(shape)) : undefined),
  });
}

/** Of what most configs leave out: it is made when somebody has it, since to make them all is a tenth of a start. */
function later(make: () => z.ZodMiniType): z.ZodMiniType {
  return z.optional(z.lazy(make));
}

/** A value that is checked by one of our own functions, which gives the clause to show. */
function explained(explain: (value: unknown) => string | null): z.ZodMiniType<unknown, unknown> {
  return z.unknown().check((context) => {
    const problem = explain(context.value);
    if (problem !== null) context.issues.push({ code: 'custom', message: problem, input: context.value });
  });
}

/** Compiling a parser takes longer than it saves where one value is parsed. */
const ONCE = { jitless: true } satisfies z.core.ParseContext<z.core.$ZodIssue>;

/** Goes on with what depends on a look at the value. */
function checkAs(context: z.core.ParsePayload<unknown>, shape: z.ZodMiniType, value: unknown, path: readonly PropertyKey[] = []): void {
  const result = shape.safeParse(value, ONCE);
  for (const issue of result.success ? [] : result.error.issues) context.issues.push({ ...issue, path: [...path, ...issue.path] } as never);
}

const url = explained((value) => (typeof value === 'function' ? null : explainUrl(value)));

/** `none` takes back what a config or a variable sets. */
const duration = explained((value) => {
  const expected = explainDuration(value);
  return expected === null ? null : `expected ${expected}`;
});
const wait = explained((value) => {
  const expected = explainWait(value);
  return expected === null ? null : `expected ${expected}`;
});
const limit = explained((value) => {
  const expected = value === 'none' ? null : explainDuration(value);
  return expected === null ? null : `expected ${expected}, or none`;
});

const retention = explained((value) => prefixExpected(explainRetention(value)));

const waves = explained((value) => prefixExpected(explainWaves(value)));
const canary = explained((value) => prefixExpected(explainWaves(value, 1)));

function prefixExpected(expected: string | null): string | null {
  return expected === null ? null : `expected ${expected}`;
}

const hook = explained((value) => (typeof value === 'function' ? null : 'expected a function `(ctx) => …`'));

const sqlMigrations = {
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

const hooks = later(() =>
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

const seeds = explained((value) => {
  const files = Array.isArray(value) ? value : [value];
  return files.every((file) => typeof file === 'string' && file !== '') ? null : 'expected a path to a .sql file, or an array of them';
});

const templates = explained((value) =>
  value === false || value === 'auto' || value === 'always' ? null : "expected 'auto', 'always' or false",
);

const placementTemplate = strict({
  cluster: text,
  driver: z.enum(DRIVER_NAMES),
  name: explained((value) => {
    if (typeof value !== 'string') return 'expected a text with {id} in it, such as tenant_{id}';
    const unknown = value.replaceAll('{id}', '').match(/\{[^}]*\}?|\}/)?.[0];
    if (unknown !== undefined) return `${unknown} is not understood: {id} is all that a name may have in braces`;
    return value.includes('{id}')
      ? null
      : `expected {id} in it, such as tenant_{id}: without it all tenants would live in ${JSON.stringify(value)}`;
  }),
});

const placement = z.unknown().check((context) => {
  const { value } = context;
  if (typeof value === 'function') return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = "expected a function `(tenant) => ({ cluster, driver, name })`, or { cluster, driver, name: 'tenant_{id}' }";
    context.issues.push({ code: 'custom', message, input: value });
    return;
  }
  checkAs(context, placementTemplate, value);
});

const clusterName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

const throttleQuery = (): z.ZodMiniType => strict({ sql: text, every: z.optional(duration) });
const throttleCheck = (): z.ZodMiniType => strict({ check: hook, every: z.optional(duration) });

const throttle = z.unknown().check((context) => {
  const { value } = context;
  if (Array.isArray(value)) {
    for (const [index, one] of value.entries()) checkThrottle(context, one, [index]);
  } else checkThrottle(context, value, []);
});

function checkThrottle(context: z.core.ParsePayload<unknown>, value: unknown, path: readonly number[]): void {
  if (typeof value === 'function') return;
  const isObject = typeof value === 'object' && value !== null;
  if (!isObject || (!('sql' in value) && !('check' in value))) {
    const message = "expected { sql: 'SELECT …' }, { check: (ctx) => … }, a function `(ctx) => …`, or an array of them";
    context.issues.push({ code: 'custom', message, path: [...path], input: value });
    return;
  }
  checkAs(context, 'sql' in value ? throttleQuery() : throttleCheck(), value, path);
}

const pool = later(() =>
  strict({
    driver: explained((value) => {
      if (value === 'postgres-schema' || value === 'postgres-database') return null;
      const isOther = DRIVER_NAMES.some((name) => name === value);
      return `expected 'postgres-schema' or 'postgres-database'${isOther ? `: a home is made ahead under another name, and ${value} can't rename` : ''}`;
    }),
    size: z.int().check(z.nonnegative()),
  }),
);

const isolation = z.optional(explained((value) => (value === 'none' || value === 'role' ? null : "expected 'none' or 'role'")));

const argv = z.array(text).check(z.minLength(1));

const secretsByFiles = (): z.ZodMiniType => strict({ directory: text });
const secretsByCommand = (): z.ZodMiniType =>
  strict({
    command: argv,
    // Each login's password has a place of its own: for a while two of a tenant's are good.
    ref: explained((value) => {
      if (typeof value !== 'string' || !/^(env|file|exec|vault):./.test(value))
        return 'expected how it is read again: vault:…, exec:…, file:… or env:…';
      return value.includes('{login}') ? null : 'expected {login} in it: while a credential is rotated, a tenant has two';
    }),
    remove: z.optional(argv),
  });
const secretsByFunctions = (): z.ZodMiniType => strict({ store: hook, remove: z.optional(hook), resolve: z.optional(hook) });

const secrets = z.unknown().check((context) => {
  const { value } = context;
  if (typeof value === 'function') return;
  const isObject = typeof value === 'object' && value !== null;
  const shape = !isObject
    ? null
    : 'directory' in value
      ? secretsByFiles()
      : 'command' in value
        ? secretsByCommand()
        : 'store' in value
          ? secretsByFunctions()
          : null;
  if (shape === null) {
    const message =
      "expected { directory: './secrets' }, { command: […], ref: 'vault:…{login}…' }, { store, remove }, or a function that stores one";
    context.issues.push({ code: 'custom', message, input: value });
    return;
  }
  checkAs(context, shape, value);
});

const cluster = strict({
  url,
  concurrency: z.optional(positive),
  region: z.optional(text),
  pool,
  isolation,
  throttle: z.optional(throttle),
});

const clusters = z.record(z.string(), cluster).check((context) => {
  const names = Object.keys(context.value);
  if (names.length === 0) {
    const message = "expected at least one cluster, such as { main: { url: 'postgres://…' } }";
    context.issues.push({ code: 'custom', message, input: context.value });
  }
  for (const name of names.filter((candidate) => !clusterName.test(candidate))) {
    const message = "a cluster's name is 1 to 63 of A-Z a-z 0-9 _ - . and starts with a letter or a digit";
    context.issues.push({ code: 'custom', message, path: [name], input: name });
  }
});

const backupTools = ['pg_dump', 'pg_restore', 'mariadb-dump', 'mariadb', 'mongodump', 'mongorestore'] satisfies BackupTool[];

const configSchema = strict({
  registry: z.optional(strict({ url: z.optional(url) })),
  clusters,
  placement,
  migrations: z.optional(strict(sqlMigrations)),
  seeds: z.optional(seeds),
  hooks,
  extensions: later(() => strict({ schema: z.optional(text) })),
  templates: z.optional(templates),
  isolation,
  secrets: z.optional(secrets),
  allowMixedCaseNames: z.optional(flag),
  defaults: later(() =>
    strict({
      concurrency: z.optional(positive),
      retries: z.optional(z.int().check(z.nonnegative())),
      timeout: z.optional(limit),
      lockTimeout: z.optional(duration),
      statementTimeout: z.optional(limit),
      leaseWait: z.optional(wait),
      canary: z.optional(canary),
      waves: z.optional(waves),
      soak: z.optional(wait),
      retain: z.optional(retention),
      executor: z.optional(z.enum(['local', 'pg-boss'])),
    }),
  ),
  logs: z.optional(text),
  backups: later(() =>
    strict({
      directory: text,
      tools: z.optional(strict(Object.fromEntries(backupTools.map((tool) => [tool, z.optional(text)])))),
    }),
  ),
});

/** Everything that is wrong with a config, in the order of its keys; empty where it is sound. */
export function checkConfig(config: unknown, prefix: readonly string[] = []): readonly ConfigIssue[] {
  const result = configSchema.safeParse(config, ONCE);
  return result.success ? [] : wordIssues(result.error.issues, config, prefix);
}
