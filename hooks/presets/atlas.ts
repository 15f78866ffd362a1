import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { command } from './command.js';
import { readHistoryRows } from './history-rows.js';
import { listMigrationFiles, requireSome } from './migration-files.js';
import { forLibPq, formatUrl, readTenantUrl } from './tenant-url.js';

export interface AtlasOptions {
  /** @default './migrations' */
  readonly directory?: string;
  /**
   * An `env` of the project file whose `url` is `getenv("DATABASE_URL")`: then Atlas takes the tenant's URL from there, in the way it wants it written.
   * Needed for MySQL. @default none: the URL is on the command line, without its password
   */
  readonly env?: string;
  /** The project file. @default 'atlas.hcl' */
  readonly config?: string;
  /** Gives each tenant a lock of its own by `--lock-name`, which not every Atlas has. @default false: tenants of a cluster take turns */
  readonly lockPerTenant?: boolean;
}

/**
 * `atlas migrate apply` for each tenant, for `hooks.migrate`; for tenants on PostgreSQL, and on MySQL with `env`.
 *
 * The revisions are kept in the tenant's own schema. The password goes by PGPASSWORD, or by DATABASE_URL where a project file reads it; never by
 * the command line, which everybody on the machine can read.
 */
export function atlas({ directory = './migrations', env, config = 'atlas.hcl', lockPerTenant = false }: AtlasOptions = {}): Migrator {
  let local: readonly string[] = [];
  const read = async ({ root }: ProjectContext): Promise<readonly string[]> => {
    const files = (await listMigrationFiles(root, directory)).filter((file) => file.endsWith('.sql'));
    local = requireSome(files.map(versionOfFile), directory, '20240220110500_invoices.sql');
    return local;
  };
  return command({
    name: 'atlas',
    binary: 'atlas',
    install: 'brew install ariga/tap/atlas',
    lockScope: lockPerTenant ? 'tenant' : 'database',
    run: (ctx) => {
      const schema = ctx.driver.name === 'postgres-schema' ? ctx.placement.name : null;
      // Without one of the URL's own, Atlas would make a schema for them. On MySQL it is the tenant's database.
      const revisions = schema ?? (ctx.driver.name === 'postgres-database' ? REVISIONS_SCHEMA : null);
      const where = env === undefined ? onCommandLine(ctx, schema) : inEnvironment(ctx, schema, env, path.resolve(ctx.root, config));
      return {
        args: [
          'migrate',
          'apply',
          ...where.args,
          '--dir',
          pathToFileURL(path.resolve(ctx.root, directory)).href,
          ...(revisions === null ? [] : ['--revisions-schema', revisions]),
          ...(lockPerTenant ? ['--lock-name', `tenancy_${ctx.placement.name}`] : []),
          '--format',
          '{{ json . }}',
        ],
        env: { ...where.env, ATLAS_NO_UPDATE_NOTIFIER: '1' },
      };
    },
    target: async (project) => (await read(project)).at(-1) ?? null,
    versions: read,
    readVersion: async (ctx) => {
      const { done } = await readRevisions(ctx);
      return local.findLast((version) => done.has(version)) ?? [...done].at(-1) ?? null;
    },
    pending: async (ctx) => {
      const { done, baseline } = await readRevisions(ctx);
      return local.filter((version) => !done.has(version) && (baseline === null || version > baseline));
    },
  });
}

/** In a database of the tenant's own, where the search path finds it. */
const REVISIONS_SCHEMA = 'public';

interface Place {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function onCommandLine(ctx: HookContext, schema: string | null): Place {
  const url = readTenantUrl(ctx, 'atlas');
  if (url.engine !== 'postgres') {
    refuse(
      ctx,
      `atlas is not run for a ${ctx.driver.name} tenant without a project file: the password would stand on its command line`,
      'add an env with url = getenv("DATABASE_URL") to atlas.hcl, and name it: atlas({ env })',
    );
  }
  const { url: bare, env } = forLibPq(url, checkSchema(ctx, schema));
  return { args: ['--url', bare], env };
}

function inEnvironment(ctx: HookContext, schema: string | null, name: string, config: string): Place {
  const url = readTenantUrl(ctx, 'atlas');
  const query = new Map(url.query);
  const path = checkSchema(ctx, schema);
  if (path !== null) query.set('search_path', path);
  if (url.engine === 'postgres' && !query.has('sslmode')) query.set('sslmode', 'disable');
  const full = formatUrl(url.engine, url, query);
  return { args: ['--config', pathToFileURL(config).href, '--env', name], env: { DATABASE_URL: full } };
}

/** Atlas takes the one schema of the search path for the schema's name, and hands it to the server as it is. */
function checkSchema(ctx: HookContext, schema: string | null): string | null {
  if (schema === null || /^[a-z_][a-z0-9_]*$/.test(schema)) return schema;
  return refuse(
    ctx,
    `atlas can't be pointed at the schema ${JSON.stringify(schema)}, whose name has to be quoted`,
    'give tenants names of a-z, 0-9 and _ alone, or use another migrator',
  );
}

/** Revisions that are whole: `applied` of `total` statements, without an error. A baseline stands for all before it. */
async function readRevisions(ctx: HookContext): Promise<{ readonly done: ReadonlySet<string>; readonly baseline: string | null }> {
  const rows = await readHistoryRows<{ version: string; type: string | number }>(
    ctx,
    'atlas',
    'atlas_schema_revisions',
    (table) => `SELECT version, type FROM ${table} WHERE applied = total AND (error IS NULL OR error = '') ORDER BY version`,
  );
  // Bits: 1 a baseline, 2 executed, 4 resolved by hand.
  const baseline = rows.findLast(({ type }) => Number(type) === 1)?.version ?? null;
  return { done: new Set(rows.map(({ version }) => version)), baseline };
}

function versionOfFile(file: string): string {
  const name = file.replace(/\.sql$/, '');
  const end = name.indexOf('_');
  return end < 0 ? name : name.slice(0, end);
}

function refuse(ctx: HookContext, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATOR_REFUSED', { tenant: ctx.tenant.id, reason, advice });
}
