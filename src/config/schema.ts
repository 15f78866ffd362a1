/** What a config may look like, and what to say where it doesn't. Knows nothing of defaults. */
import type { ConfigIssue } from '../errors/config-errors.js';
import { DRIVER_NAMES } from '../tenant.js';
import { explainRetention } from '../util/retention.js';
import type { BackupTool } from './backup-types.js';
import { clusters, isolation, url } from './clusters-schema.js';
import { wordIssues } from './config-issues.js';
import { hooks, sqlMigrations } from './hooks-schema.js';
import { explainWaves } from './parse-waves.js';
import {
  checkAs,
  checked,
  duration,
  expected,
  explained,
  flag,
  isObject,
  issuesOf,
  limit,
  natural,
  oneOf,
  positive,
  refuse,
  strict,
  text,
  wait,
} from './schema-parts.js';
import { secrets } from './secrets-schema.js';

const seeds = explained((value) => {
  const files = Array.isArray(value) ? value : [value];
  return files.every((file) => typeof file === 'string' && file !== '') ? null : 'expected a path to a .sql file, or an array of them';
});

const templates = explained((value) =>
  value === false || value === 'auto' || value === 'always' ? null : "expected 'auto', 'always' or false",
);

const placementTemplate = strict({
  cluster: text,
  driver: oneOf(...DRIVER_NAMES),
  name: explained((value) => {
    if (typeof value !== 'string') return 'expected a text with {id} in it, such as tenant_{id}';
    const unknown = value.replaceAll('{id}', '').match(/\{[^}]*\}?|\}/)?.[0];
    if (unknown !== undefined) return `${unknown} is not understood: {id} is all that a name may have in braces`;
    return value.includes('{id}')
      ? null
      : `expected {id} in it, such as tenant_{id}: without it all tenants would live in ${JSON.stringify(value)}`;
  }),
});

const placement = checked((context) => {
  const { value } = context;
  if (typeof value === 'function') return;
  if (isObject(value)) checkAs(context, placementTemplate, value);
  else refuse(context, "expected a function `(tenant) => ({ cluster, driver, name })`, or { cluster, driver, name: 'tenant_{id}' }");
});

const backupTools = ['pg_dump', 'pg_restore', 'mariadb-dump', 'mariadb', 'mongodump', 'mongorestore'] satisfies BackupTool[];

const defaults = strict(
  {},
  {
    concurrency: positive,
    retries: natural,
    timeout: limit,
    lockTimeout: duration,
    statementTimeout: limit,
    leaseWait: wait,
    canary: expected((value) => explainWaves(value, 1)),
    waves: expected((value) => explainWaves(value)),
    soak: wait,
    retain: expected(explainRetention),
    executor: oneOf('local', 'pg-boss'),
  },
);

const configSchema = strict(
  { clusters, placement },
  {
    registry: strict({}, { url }),
    migrations: sqlMigrations,
    seeds,
    hooks,
    extensions: strict({}, { schema: text }),
    templates,
    isolation,
    secrets,
    allowMixedCaseNames: flag,
    defaults,
    logs: text,
    backups: strict({ directory: text }, { tools: strict({}, Object.fromEntries(backupTools.map((tool) => [tool, text]))) }),
  },
);

/** Everything that is wrong with a config, in the order of its keys; empty where it is sound. */
export function checkConfig(config: unknown, prefix: readonly string[] = []): readonly ConfigIssue[] {
  return wordIssues(issuesOf(configSchema, config), config, prefix);
}
