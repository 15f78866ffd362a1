import path from 'node:path';
import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { command } from './command.js';
import { readHistoryRows } from './history-rows.js';
import { listMigrationFiles, requireSome } from './migration-files.js';
import { readTenantUrl, type TenantUrl } from './tenant-url.js';

export interface FlywayOptions {
  /** @default './migrations' */
  readonly directory?: string;
  /** For `FLYWAY_PLACEHOLDERS_…`: what stands for `${name}`. */
  readonly placeholders?: (ctx: HookContext) => Readonly<Record<string, string>>;
  /** Flyway's history table. @default 'flyway_schema_history' */
  readonly table?: string;
}

interface HistoryRow {
  readonly version: string;
  readonly type: string;
}

/**
 * `flyway migrate` for each tenant, for `hooks.migrate`; for tenants on PostgreSQL and MySQL. All it needs goes through its environment variables.
 *
 * Each tenant costs the start of a JVM, so tenants at the newest version are left alone. Where there are repeatable migrations, all tenants are run
 * each time: only Flyway knows which of these have changed.
 */
export function flyway({ directory = './migrations', placeholders, table = 'flyway_schema_history' }: FlywayOptions = {}): Migrator {
  let local: readonly string[] = [];
  let repeatable: readonly string[] = [];
  /** Tenants whose repeatable migrations were seen to right now. */
  const seenTo = new Set<string>();
  const keyOf = ({ runId, tenant }: HookContext): string => `${runId} ${tenant.id}`;
  const read = async ({ root }: ProjectContext): Promise<readonly string[]> => {
    const files = (await listMigrationFiles(root, directory, { deep: true })).map((file) => path.basename(file));
    repeatable = files.filter((file) => /^R__.+\.(sql|java)$/.test(file));
    local = files.flatMap((file) => versionOfFile(file) ?? []).sort(compareVersions);
    requireSome([...local, ...repeatable], directory, 'V1__accounts.sql');
    return local;
  };
  const migrator = command({
    name: 'flyway',
    binary: 'flyway',
    install: 'brew install flyway',
    lockScope: 'tenant',
    run: (ctx) => {
      const url = readTenantUrl(ctx, 'flyway');
      const given = Object.entries(placeholders?.(ctx) ?? {}).map(([name, value]) => [`FLYWAY_PLACEHOLDERS_${name.toUpperCase()}`, value]);
      return {
        args: ['migrate', '-outputType=json'],
        env: {
          FLYWAY_URL: toJdbcUrl(ctx, url),
          FLYWAY_USER: url.user,
          FLYWAY_PASSWORD: url.password,
          FLYWAY_LOCATIONS: `filesystem:${path.resolve(ctx.root, directory)}`,
          FLYWAY_TABLE: table,
          FLYWAY_CREATE_SCHEMAS: 'false',
          ...(url.searchPath === null ? {} : { FLYWAY_DEFAULT_SCHEMA: ctx.placement.name }),
          ...Object.fromEntries(given),
        },
      };
    },
    target: async (project) => (await read(project)).at(-1) ?? null,
    readVersion: async (ctx) => {
      const { applied } = await readHistory(ctx, table);
      return local.findLast((version) => applied.has(version)) ?? [...applied].sort(compareVersions).at(-1) ?? null;
    },
    pending: async (ctx) => {
      const { applied, baseline } = await readHistory(ctx, table);
      const isCovered = (version: string): boolean => baseline !== null && compareVersions(version, baseline) <= 0;
      const versions = local.filter((version) => !applied.has(version) && !isCovered(version));
      // Asked once more behind the run, and then for the last time.
      return seenTo.delete(keyOf(ctx)) ? versions : [...versions, ...repeatable];
    },
  });
  return {
    ...migrator,
    run: async (ctx) => {
      await migrator.run(ctx);
      if (repeatable.length > 0) seenTo.add(keyOf(ctx));
    },
  };
}

/** Without what was undone, deleted by `flyway repair`, or failed. */
async function readHistory(
  ctx: HookContext,
  table: string,
): Promise<{ readonly applied: ReadonlySet<string>; readonly baseline: string | null }> {
  const rows = await readHistoryRows<HistoryRow>(
    ctx,
    'flyway',
    table,
    (name) => `SELECT version, type FROM ${name} WHERE success AND version IS NOT NULL ORDER BY installed_rank`,
  );
  const applied = new Set<string>();
  let baseline: string | null = null;
  for (const { version, type } of rows) {
    const normal = normalise(version);
    if (/^(UNDO|DELETE)/.test(type)) applied.delete(normal);
    else applied.add(normal);
    if (/BASELINE/.test(type)) baseline = normal;
  }
  return { applied, baseline };
}

/** `V1_2__name.sql` is 1.2. */
function versionOfFile(file: string): string | null {
  const version = /^V(\d+(?:[._]\d+)*)__.+\.(sql|java)$/.exec(file)?.[1];
  return version === undefined ? null : normalise(version);
}

/** Without zeros that say nothing, since Flyway takes 1.0 and 01 for 1. */
function normalise(version: string): string {
  const parts = version.split(/[._]/).map((part) => part.replace(/^0+(?=\d)/, ''));
  return parts.slice(0, Math.max(1, parts.findLastIndex((part) => part !== '0') + 1)).join('.');
}

function compareVersions(a: string, b: string): number {
  const [first, second] = [a, b].map((version) => version.split('.').map(BigInt));
  for (let at = 0; at < Math.max(first?.length ?? 0, second?.length ?? 0); at++) {
    const [left, right] = [first?.[at] ?? 0n, second?.[at] ?? 0n];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** What libpq and pgjdbc call by the same name goes along; the user and the password go by variables of their own. */
const SHARED = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

function toJdbcUrl(ctx: HookContext, { engine, host, database, query, searchPath }: TenantUrl): string {
  if (host === '' || query.get('host')?.startsWith('/')) {
    throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
      tenant: ctx.tenant.id,
      reason: 'flyway connects over TCP only, and the URL of the cluster names a socket',
      advice: 'give the cluster a URL with a host',
    });
  }
  const shared = engine === 'postgres' ? SHARED.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : [])) : [];
  // Flyway puts its default schema in front of what the connection has.
  const pairs = [...shared, ...(searchPath === null ? [] : [['currentSchema', searchPath]])];
  const search = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`).join('&');
  const scheme = engine === 'postgres' ? 'jdbc:postgresql' : 'jdbc:mysql';
  return `${scheme}://${host}/${encodeURIComponent(database)}${search === '' ? '' : `?${search}`}`;
}
