import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { RunnerOption } from 'node-pg-migrate';
import type { HookContext, Migrator } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { asCommand, createPreset, nameFailure, type Prepared } from './in-process.js';
import { loadPackage } from './load-package.js';
import { bindPostgres, loadPg } from './postgres-client.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable } from './tenant-home.js';
import { readTenantUrl } from './tenant-url.js';

export interface NodePgMigrateOptions {
  /** Relative to the config file. @default './migrations' */
  readonly directory?: string;
  /** @default 'pgmigrations' */
  readonly migrationsTable?: string;
  /** For tenants with a database each; in a schema tenant the table is always in the tenant's own. @default 'public' */
  readonly migrationsSchema?: string;
  /** A regular expression for names of files that are no migrations. @default '\\..*' */
  readonly ignorePattern?: string;
  /** Further options of its `runner`, such as `checkOrder`, `decamelize` or `singleTransaction`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface NodePgMigrateCommandOptions extends Omit<NodePgMigrateOptions, 'config'> {
  /** Further arguments. */
  readonly args?: readonly string[];
}

interface Ready extends Prepared {
  readonly runner: (options: RunnerOption) => Promise<unknown>;
  readonly directory: string;
}

const PRESET = 'nodePgMigrate()';
const INSTALL = 'npm i -D node-pg-migrate pg';

function createNodePgMigratePreset(options: NodePgMigrateOptions = {}): Migrator {
  const table = options.migrationsTable ?? 'pgmigrations';
  return createPreset<Ready>({
    name: 'node-pg-migrate',
    prepare: async (project) => {
      const library = await loadPackage<Pick<Ready, 'runner'> | Ready['runner']>(project.root, {
        name: 'node-pg-migrate',
        preset: PRESET,
        install: INSTALL,
        versions: ['7.0.0', '10.0.0'],
      });
      const directory = path.resolve(project.root, options.directory ?? './migrations');
      const names = await listNames(directory, options.ignorePattern);
      return { runner: typeof library === 'function' ? library : library.runner, directory, names };
    },
    readApplied: async (ctx) => {
      const home = locateHome(ctx, PRESET, ['postgres']);
      const from = quoteTable(home, table, options.migrationsSchema ?? 'public');
      const rows = await readRows<{ name: string }>(ctx, `SELECT name FROM ${from} ORDER BY run_on, id`);
      return rows.map(({ name }) => name);
    },
    run: async (ctx, { runner, directory }) => {
      const home = locateHome(ctx, PRESET, ['postgres']);
      const tenant = bindPostgres(ctx, await loadPg(ctx.root, { preset: PRESET, install: INSTALL }), home);
      const logger = watchMigrations(ctx);
      try {
        const client = new tenant.Client();
        await client.connect();
        // Its `schema` would set the search path anew, without the schema of extensions.
        const { schema: _, databaseUrl: __, createSchema: ___, ...config } = options.config ?? {};
        await runner({
          ...config,
          dbClient: client,
          dir: directory,
          direction: 'up',
          migrationsTable: table,
          migrationsSchema: home.schema ?? options.migrationsSchema ?? 'public',
          ...(options.ignorePattern === undefined ? {} : { ignorePattern: options.ignorePattern }),
          // One key for every tenant of a database, and it fails at once where it is taken; the lease covers this tenant.
          noLock: true,
          logger,
        });
        await client.end();
      } catch (error) {
        throw logger.current === null ? error : nameFailure(logger.current, error);
      } finally {
        tenant.close();
      }
    },
  });
}

/**
 * node-pg-migrate, in this process, for `hooks.migrate`. Its table is in the tenant's own schema. Its advisory lock, one for the whole database, isn't
 * taken: the tenant's lease is held meanwhile.
 *
 * ```ts
 * migrate: nodePgMigrate({ directory: './migrations' })
 * ```
 *
 * `nodePgMigrate.command()` runs `node-pg-migrate up` as a child process instead.
 */
export const nodePgMigrate = Object.assign(createNodePgMigratePreset, {
  command: ({ args = [], ...options }: NodePgMigrateCommandOptions = {}): Migrator =>
    asCommand(createNodePgMigratePreset(options), {
      binary: 'node-pg-migrate',
      install: INSTALL,
      run: (ctx) => {
        const { schema } = locateHome(ctx, PRESET, ['postgres']);
        const { directory = './migrations', migrationsTable = 'pgmigrations', migrationsSchema = 'public', ignorePattern } = options;
        const history = ['--migrations-table', migrationsTable, '--migrations-schema', schema ?? migrationsSchema];
        // It sets the search path itself, to public where it isn't told.
        const searchPath = schemasOf(readTenantUrl(ctx, PRESET).searchPath).flatMap((name) => ['--schema', name]);
        const where = ['--migrations-dir', directory, ...history, ...searchPath];
        return {
          args: ['up', ...where, ...(ignorePattern === undefined ? [] : ['--ignore-pattern', ignorePattern]), '--no-lock', ...args],
        };
      },
    }),
});

function schemasOf(searchPath: string | null): readonly string[] {
  const names = searchPath?.match(/"(?:[^"]|"")*"|[^,\s]+/g) ?? ['public'];
  return names.map((name) => name.replace(/^"|"$/g, '').replaceAll('""', '"'));
}

/** In its own order: by the number in front (17 digits are a date), then by name. */
async function listNames(directory: string, ignorePattern = '\\..*'): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const problem = error.code === 'ENOENT' ? 'there is no such folder' : error.message;
    throw new TenancyError('TENANCY_PRESET_REJECTED', { preset: PRESET, problem: `\`directory\`: ${directory}: ${problem}` });
  });
  const ignored = new RegExp(`^${ignorePattern}$`);
  const names = entries.filter((entry) => (entry.isFile() || entry.isSymbolicLink()) && !ignored.test(entry.name)).map(({ name }) => name);
  return names
    .sort(
      (a, b) =>
        numberOf(a) - numberOf(b) || a.localeCompare(b, undefined, { numeric: true, sensitivity: 'variant', ignorePunctuation: true }),
    )
    .map((name) => path.basename(name, path.extname(name)));
}

function numberOf(name: string): number {
  const [digits = ''] = /^\d+/.exec(name) ?? [];
  if (digits.length !== 17) return Number(digits);
  const [, ...parts] = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{3})$/.exec(digits) ?? [];
  const [year = 0, month = 1, day, hour, minute, second, milliseconds] = parts.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, milliseconds);
}

/** Which migration it is at, only its log tells. */
function watchMigrations(ctx: HookContext) {
  const logger = {
    current: null as string | null,
    debug: (message: string) => ctx.log(message),
    info: (message: string) => {
      logger.current = /^### MIGRATION (.+) \(UP\) ###$/.exec(message)?.[1] ?? logger.current;
      ctx.log(message);
    },
    warn: (message: string) => ctx.log(message),
    error: (message: string) => ctx.log(message),
  };
  return logger;
}
