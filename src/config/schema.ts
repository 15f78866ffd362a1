/** What a config may look like, and what to say where it doesn't. Knows nothing of defaults. */
import * as z from 'zod/mini';
import type { ConfigIssue } from '../errors/config-errors.js';
import { DRIVER_NAMES } from '../tenant.js';
import { explainRetention } from '../util/retention.js';
import type { BackupTool } from './backup-types.js';
import { clusters, isolation, url } from './clusters-schema.js';
import { wordIssues } from './config-issues.js';
import { hooks, sqlMigrations } from './hooks-schema.js';
import { explainWaves } from './parse-waves.js';
import { checkAs, duration, explained, flag, later, limit, ONCE, positive, prefixExpected, strict, text, wait } from './schema-parts.js';
import { secrets } from './secrets-schema.js';

const retention = explained((value) => prefixExpected(explainRetention(value)));

const waves = explained((value) => prefixExpected(explainWaves(value)));
const canary = explained((value) => prefixExpected(explainWaves(value, 1)));

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
