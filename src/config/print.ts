import { formatDuration } from '../util/duration.js';
import { redact, redactUrl } from '../util/redact.js';
import { formatShare } from '../util/share.js';
import type { MigrateHook, ResolvedConfig, ResolvedThrottle, SecretsConfig, UrlSource } from './types.js';

/** What `config print` shows: every default filled in, passwords blanked, a function as `[function]`. Calls none of them. */
export function describeConfig(config: ResolvedConfig): Readonly<Record<string, unknown>> {
  const { defaults, hooks } = config;
  const { seed, migrate, ...others } = hooks;
  return {
    file: config.file,
    root: config.root,
    registry: { url: describeUrl(config.registry.url) },
    clusters: Object.fromEntries(
      Object.entries(config.clusters).map(([name, { url, throttles, pool, isolation, ...cluster }]) => [
        name,
        {
          url: describeUrl(url),
          ...cluster,
          ...(pool === null ? {} : { pool }),
          ...(isolation === 'none' ? {} : { isolation }),
          ...(throttles.length === 0 ? {} : { throttle: throttles.map(describeThrottle) }),
        },
      ]),
    ),
    placement: config.placementTemplate ?? '[function]',
    hooks: {
      ...Object.fromEntries(Object.entries(others).map(([name, hook]) => [name, hook === undefined ? "[the driver's own]" : '[function]'])),
      ...(migrate === undefined ? {} : { migrate: describeMigrate(migrate) }),
      seed: seed.map(() => '[function]'),
    },
    extensions: { schema: config.extensionsSchema },
    templates: config.templates,
    ...(config.secrets === null ? {} : { secrets: describeSecrets(config.secrets) }),
    allowMixedCaseNames: config.allowMixedCaseNames,
    defaults: {
      concurrency: defaults.concurrency,
      retries: defaults.retries,
      timeout: describeMs(defaults.timeoutMs),
      lockTimeout: describeMs(defaults.lockTimeoutMs),
      statementTimeout: describeMs(defaults.statementTimeoutMs),
      leaseWait: describeMs(defaults.leaseWaitMs),
      waves: defaults.waves.length === 0 ? 'none' : defaults.waves.map(formatShare).join(','),
      soak: defaults.soakMs === 0 ? 'none' : formatDuration(defaults.soakMs),
      retain: describeMs(defaults.retainForMs),
      executor: defaults.executor,
    },
    logs: config.logsDirectory,
    backups: config.backups ?? 'none',
  };
}

function describeUrl(source: UrlSource): string {
  return typeof source === 'function' ? '[function]' : redactUrl(source);
}

function describeSecrets(secrets: SecretsConfig): unknown {
  if (typeof secrets === 'function') return '[function]';
  if ('directory' in secrets) return secrets;
  if ('store' in secrets) return Object.fromEntries(Object.keys(secrets).map((name) => [name, '[function]']));
  const { command, ref, remove } = secrets;
  const redacted = (args: readonly string[]): readonly string[] => args.map(redact);
  return { command: redacted(command), ref: redact(ref), ...(remove === undefined ? {} : { remove: redacted(remove) }) };
}

function describeThrottle({ sql, everyMs }: ResolvedThrottle): Readonly<Record<string, string>> {
  const every = formatDuration(everyMs);
  return sql === null ? { check: '[function]', every } : { sql: redact(sql), every };
}

function describeMigrate(hook: MigrateHook): unknown {
  if (typeof hook === 'function') return '[function]';
  if (hook.type === 'migrator') return { type: hook.type, name: redact(hook.name), lockScope: hook.lockScope ?? 'tenant' };
  if (hook.type === 'by-driver') {
    const drivers = Object.entries(hook.drivers).map(([driver, one]) => [driver, one === undefined ? null : describeMigrate(one)]);
    return { type: hook.type, drivers: Object.fromEntries(drivers) };
  }
  return { ...hook, format: hook.format ?? 'auto' };
}

function describeMs(ms: number | null): string {
  return ms === null ? 'none' : formatDuration(ms);
}
