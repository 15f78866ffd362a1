import path from 'node:path';
import type { ConfigIssue } from '../errors/config-errors.js';
import { TenancyError } from '../errors.js';
import { parseDuration } from '../util/duration.js';
import { findClosest } from '../util/edit-distance.js';
import type { LoadedConfig } from './load.js';
import type { RawOptions } from './merge-options.js';
import { mergeOptions, runOptionSpecs } from './merge-options.js';
import { createPlace } from './place-tenant.js';
import { explainPool, resolvePool } from './resolve-pool.js';
import { absoluteUrl, resolveOnce } from './resolve-url.js';
import type {
  AnyMigrateHook,
  BackupsConfig,
  Hook,
  Hooks,
  MigrateHook,
  ResolvedConfig,
  ResolvedThrottle,
  SecretsConfig,
  TenancyConfig,
  Throttle,
  UrlSource,
} from './types.js';

/** Connections of a cluster's tenants in flight where its config doesn't say. */
const DEFAULT_CONCURRENCY = 8;

/** How long what a throttle answered holds: a pause from elsewhere takes as long to be heard of. */
const DEFAULT_THROTTLE_MS = 2_000;

export interface ResolveConfigOptions {
  /** What the command's flags say, raw. */
  readonly overrides?: RawOptions<typeof runOptionSpecs>;
  /** For the `TENANCY_*` variables. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Fills in every default, turns the short forms into hooks and makes every path absolute. Opens nothing, and calls no function of the config.
 * @throws TenancyError `TENANCY_CONFIG_REJECTED`, `TENANCY_OPTION_REJECTED`.
 */
export function resolveConfig(loaded: LoadedConfig, options: ResolveConfigOptions = {}): ResolvedConfig {
  const { file, root, config } = loaded;
  const issues = findContradictions(config);
  if (issues.length > 0) throw new TenancyError('TENANCY_CONFIG_REJECTED', { file, issues });

  const resolveSource = (source: UrlSource, where: string): UrlSource =>
    typeof source === 'function' ? resolveOnce(source, where, root, file) : absoluteUrl(source, root);
  const clusters = Object.fromEntries(
    Object.entries(config.clusters).map(([name, cluster]) => [
      name,
      {
        url: resolveSource(cluster.url, `clusters.${name}.url`),
        concurrency: cluster.concurrency ?? DEFAULT_CONCURRENCY,
        region: cluster.region ?? null,
        pool: cluster.pool ? resolvePool(cluster.pool, name, config.placement) : null,
        isolation: cluster.isolation ?? config.isolation ?? 'none',
        throttles: toArray(cluster.throttle).map(resolveThrottle),
      },
    ]),
  );
  const run = mergeOptions(runOptionSpecs, { flags: options.overrides ?? {}, env: options.env ?? {}, config: config.defaults ?? {} });

  return {
    file,
    root,
    registry: { url: config.registry?.url === undefined ? firstUrl(clusters) : resolveSource(config.registry.url, 'registry.url') },
    clusters,
    place: createPlace(config.placement, {
      file,
      clusters: Object.fromEntries(Object.entries(clusters).map(([name, { url }]) => [name, typeof url === 'string' ? url : null])),
      allowMixedCase: config.allowMixedCaseNames ?? false,
    }),
    placementTemplate: typeof config.placement === 'function' ? null : config.placement,
    hooks: resolveHooks(config, root),
    extensionsSchema: config.extensions?.schema ?? 'extensions',
    templates: config.templates ?? 'auto',
    allowMixedCaseNames: config.allowMixedCaseNames ?? false,
    secrets: resolveSecrets(config.secrets, root),
    defaults: {
      concurrency: run.concurrency,
      retries: run.retries,
      timeoutMs: run.timeout,
      lockTimeoutMs: run.lockTimeout,
      statementTimeoutMs: run.statementTimeout,
      leaseWaitMs: run.leaseWait,
      waves: [...run.canary, ...run.waves],
      soakMs: run.soak,
      retainForMs: run.retain,
      executor: run.executor,
    },
    logsDirectory: path.resolve(root, config.logs ?? '.tenancy/logs'),
    backups: config.backups === undefined ? null : resolveBackups(config.backups, root),
  };
}

function resolveBackups({ directory, tools = {} }: BackupsConfig, root: string): ResolvedConfig['backups'] {
  const paths = Object.entries(tools).map(([tool, file]) => [tool, path.resolve(root, file)]);
  return { directory: path.resolve(root, directory), tools: Object.fromEntries(paths) };
}

function firstUrl(clusters: ResolvedConfig['clusters']): UrlSource {
  const [first] = Object.values(clusters);
  if (first === undefined) throw new TypeError('a checked config has a cluster');
  return first.url;
}

function resolveSecrets(secrets: SecretsConfig | undefined, root: string): SecretsConfig | null {
  if (secrets === undefined) return null;
  return 'directory' in secrets ? { directory: path.resolve(root, secrets.directory) } : secrets;
}

function resolveHooks(config: TenancyConfig, root: string): ResolvedConfig['hooks'] {
  const { seed, migrate, ...others }: Hooks = config.hooks ?? {};
  const migrateHook: MigrateHook | undefined = config.migrations === undefined ? migrate : { type: 'sql-migrations', ...config.migrations };
  return {
    ...others,
    ...(migrateHook === undefined ? {} : { migrate: resolveMigrate(migrateHook, root) }),
    seed: config.seeds === undefined ? toArray(seed) : toArray(config.seeds).map((seedFile) => seedHook(path.resolve(root, seedFile))),
  };
}

function resolveMigrate(hook: MigrateHook, root: string): MigrateHook {
  if (typeof hook === 'function' || hook.type !== 'by-driver') return resolveDirectory(hook, root);
  const drivers = Object.entries(hook.drivers).map(([driver, one]) => [driver, resolveDirectory(one, root)]);
  return { ...hook, drivers: Object.fromEntries(drivers) };
}

function resolveDirectory(hook: AnyMigrateHook, root: string): AnyMigrateHook {
  if (typeof hook === 'function' || hook.type !== 'sql-migrations') return hook;
  return { ...hook, directory: path.resolve(root, hook.directory) };
}

function seedHook(file: string): Hook {
  return (ctx) => ctx.seed(file);
}

function resolveThrottle(throttle: Throttle): ResolvedThrottle {
  if (typeof throttle === 'function') return { sql: null, check: throttle, everyMs: DEFAULT_THROTTLE_MS };
  const everyMs = throttle.every === undefined ? DEFAULT_THROTTLE_MS : parseDuration(throttle.every);
  return 'sql' in throttle ? { sql: throttle.sql, check: null, everyMs } : { sql: null, check: throttle.check, everyMs };
}

function toArray<Item>(value: Item | readonly Item[] | undefined): readonly Item[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly Item[]) : [value as Item];
}

/** What is sound key by key, and yet can't be meant. */
function findContradictions(config: TenancyConfig): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (config.migrations !== undefined && config.hooks?.migrate !== undefined) {
    issues.push({ path: 'migrations', problem: 'it is short for `hooks.migrate`, which is given too: keep one of them' });
  }
  if (config.seeds !== undefined && config.hooks?.seed !== undefined) {
    issues.push({ path: 'seeds', problem: 'it is short for `hooks.seed`, which is given too: keep one of them' });
  }
  const isolated = Object.entries(config.clusters).find(([, cluster]) => (cluster.isolation ?? config.isolation) === 'role');
  if (isolated !== undefined && config.secrets === undefined) {
    issues.push({
      path: isolated[1].isolation === undefined ? 'isolation' : `clusters.${isolated[0]}.isolation`,
      problem: "the passwords have to go somewhere: add `secrets: { directory: './secrets' }`, a command or a function",
    });
  }
  if (typeof config.placement !== 'function' && !Object.hasOwn(config.clusters, config.placement.cluster)) {
    const names = Object.keys(config.clusters);
    const closest = findClosest(config.placement.cluster, names);
    const question = closest === undefined ? '' : `; did you mean ${closest}?`;
    issues.push({
      path: 'placement.cluster',
      problem: `there is no cluster '${config.placement.cluster}' in \`clusters\`, only ${names.join(', ')}${question}`,
    });
  }
  for (const [name, { pool }] of Object.entries(config.clusters)) {
    const issue = pool ? explainPool(pool, name, config.placement) : null;
    if (issue !== null) issues.push(issue);
  }
  return issues;
}
