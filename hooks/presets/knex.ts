import path from 'node:path';
import type { Knex } from 'knex';
import type * as pg from 'pg';
import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { callExported, importFile } from './import-file.js';
import { asCommand, createPreset, nameFailure, type Prepared } from './in-process.js';
import { exportsOf, listMigrations, type MigrationFile } from './list-migrations.js';
import { loadPackage } from './load-package.js';
import { bindMysql, loadMysql } from './mysql-connection.js';
import { bindPostgres, CONNECT_TIMEOUT_MS, explainRefusedOptions, loadPg } from './postgres-client.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable, type TenantHome } from './tenant-home.js';

export interface KnexOptions {
  /** of the migrations, relative to the config file. @default './migrations', or what the knexfile says, from where it is */
  readonly directory?: string;
  /** A knexfile, relative to the config file, TypeScript or not. Who connects, and where to, it doesn't say: that is the tenant's. */
  readonly knexfile?: string;
  /** Of a knexfile that has several. @default none */
  readonly environment?: string;
  /** Knex's own options, above those of the knexfile: `{ migrations: { tableName: 'history' } }`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface KnexCommandOptions extends KnexOptions {
  readonly knexfile: string;
  /** After `migrate:latest`. */
  readonly args?: readonly string[];
}

type KnexFactory = (config: Knex.Config) => Knex;
type KnexModule = Pick<Knex.Migration, 'up' | 'down'> & { readonly config?: { readonly transaction?: boolean } };

interface Ready extends Prepared {
  readonly createKnex: KnexFactory;
  readonly config: Knex.Config;
  readonly files: readonly MigrationFile[];
  readonly table: string;
}

const PRESET = 'knex()';
const INSTALL = 'npm i -D knex pg';
/** Those that Knex takes for migrations, and the ES modules that it leaves out. */
const ENDINGS = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts'];

function createKnexPreset(options: KnexOptions = {}): Migrator {
  return createPreset<Ready>({
    name: 'knex',
    prepare: async (project) => {
      const createKnex = await loadPackage<KnexFactory>(project.root, {
        name: 'knex',
        preset: PRESET,
        install: INSTALL,
        versions: ['2.0.0', '4.0.0'],
      });
      const config = await readConfig(project, options);
      const { loadExtensions = ENDINGS, tableName: table = 'knex_migrations' } = config.migrations ?? {};
      const listed = await Promise.all(
        directoriesOf(config, options).map((directory) => listMigrations(project, { preset: PRESET, directory, endings: loadExtensions })),
      );
      const files = listed.flat();
      if (config.migrations?.sortDirsSeparately !== true) files.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
      return { createKnex, config, files, table, names: files.map(({ name }) => name) };
    },
    readApplied: async (ctx, { config, table }) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const from = quoteTable(home, table, home.engine === 'postgres' ? (config.migrations?.schemaName ?? null) : null);
      const rows = await readRows<{ name: string }>(ctx, `SELECT name FROM ${from} ORDER BY id`);
      return rows.map(({ name }) => name);
    },
    run: async (ctx, ready) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      await (home.engine === 'postgres' ? runOnPostgres(ctx, ready, home) : runOnMysql(ctx, ready, home));
    },
  });
}

/**
 * Knex, in this process, for `hooks.migrate`. Its table is in the tenant's own schema; a lock that a killed run has left behind is freed, as
 * nobody else can be at the tenant while tenancy holds its lease.
 *
 * ```ts
 * migrate: knex({ directory: './migrations' })
 * ```
 *
 * `knex.command({ knexfile })` runs `knex migrate:latest` as a child process instead; the knexfile then reads `DATABASE_URL` and `TENANCY_SCHEMA`.
 */
export const knex = Object.assign(createKnexPreset, {
  command: ({ args = [], ...options }: KnexCommandOptions): Migrator =>
    asCommand(createKnexPreset(options), {
      binary: 'knex',
      install: INSTALL,
      run: () => {
        const environment = options.environment === undefined ? [] : ['--env', options.environment];
        return { args: ['migrate:latest', '--knexfile', options.knexfile, ...environment, ...args] };
      },
    }),
});

async function readConfig(project: ProjectContext, { knexfile, environment, config = {} }: KnexOptions): Promise<Knex.Config> {
  const given = knexfile === undefined ? {} : await readKnexfile(project, knexfile, environment);
  const own = config as Knex.Config;
  return { ...given, ...own, migrations: { ...given.migrations, ...own.migrations } };
}

async function readKnexfile(project: ProjectContext, file: string, environment: string | undefined): Promise<Knex.Config> {
  const imported = { preset: PRESET, option: 'knexfile', file };
  const module = (await importFile(project, imported)) as Readonly<Record<string, unknown>>;
  // CommonJS has a named export for each member, where Node finds them, and all of them in its default export.
  const exported = 'default' in module ? module['default'] : module;
  const given = await callExported(project, imported, exported);
  if (environment === undefined) return given;
  const chosen = given[environment];
  if (typeof chosen === 'object' && chosen !== null) return chosen;
  const known = Object.keys(given).filter((name) => typeof given[name] === 'object' && given[name] !== null);
  const problem = `${path.resolve(project.root, file)} has no ${JSON.stringify(environment)}, but ${known.join(', ') || 'none at all'}`;
  throw new TenancyError('TENANCY_PRESET_REJECTED', { preset: PRESET, problem: `\`environment\`: ${problem}` });
}

/** Those of a knexfile start where it is, as Knex reads them; absolute ones stay as they are. */
function directoriesOf({ migrations }: Knex.Config, { directory, knexfile }: KnexOptions): readonly string[] {
  if (directory !== undefined) return [directory];
  const found = migrations?.directory ?? './migrations';
  const base = knexfile === undefined ? '.' : path.dirname(knexfile);
  return (typeof found === 'string' ? [found] : found).map((folder) => (path.isAbsolute(folder) ? folder : path.join(base, folder)));
}

async function runOnPostgres(ctx: HookContext, ready: Ready, home: TenantHome): Promise<void> {
  const request = { preset: PRESET, install: INSTALL };
  const tenant = bindPostgres(ctx, await loadPg(ctx.root, request), home);
  try {
    await migrate(ctx, ready, home, {
      client: 'pg',
      connection: tenant.config as Knex.PgConnectionConfig,
      pool: {
        ...onePool,
        afterCreate: (client: pg.Client, done: (error: unknown, client: pg.Client) => void) => {
          tenant.adopt(client).then(
            () => done(null, client),
            (error: unknown) => done(error, client),
          );
        },
      },
    });
  } catch (error) {
    throw explainRefusedOptions(ctx, error);
  } finally {
    tenant.close();
  }
}

async function runOnMysql(ctx: HookContext, ready: Ready, home: TenantHome): Promise<void> {
  const tenant = bindMysql(ctx, await loadMysql(ctx.root, { preset: PRESET, install: 'npm i -D knex mysql2' }));
  try {
    await migrate(ctx, ready, home, {
      client: 'mysql2',
      connection: tenant.config as unknown as Knex.MySql2ConnectionConfig,
      pool: {
        ...onePool,
        afterCreate: (connection: { destroy(): void }, done: (error: null, connection: unknown) => void) => {
          tenant.adopt(connection);
          done(null, connection);
        },
      },
    });
  } finally {
    tenant.close();
  }
}

const onePool = { min: 0, max: 1, idleTimeoutMillis: CONNECT_TIMEOUT_MS } as const;

async function migrate(ctx: HookContext, ready: Ready, home: TenantHome, connection: Knex.Config): Promise<void> {
  const { searchPath: _, connection: __, log: ___, migrations: ____, ...rest } = ready.config;
  const database = ready.createKnex({
    ...rest,
    ...connection,
    acquireConnectionTimeout: CONNECT_TIMEOUT_MS,
    // Else the values of a statement, a customer's perhaps, are in its failure.
    compileSqlOnError: false,
    log: logTo(ctx),
  });
  const answerTo = noteAnswers(ctx, database);
  const { directory: _directory, loadExtensions: _endings, schemaName, ...migrations } = ready.config.migrations ?? {};
  // On MySQL it would be a database, and the same one for every tenant.
  const schema = home.schema ?? (home.engine === 'postgres' ? schemaName : undefined);
  const options = {
    ...migrations,
    ...(schema === undefined ? {} : { schemaName: schema }),
    migrationSource: sourceOf(ctx, ready.files, answerTo),
  };
  try {
    await database.migrate.latest(options).catch(async (error: unknown) => {
      if (!(error instanceof Error) || error.name !== 'MigrationLocked') throw error;
      ctx.log(
        'knex_migrations_lock says that it is locked: by a run that was killed, since this one holds the lease of the tenant. It is freed.',
      );
      await database.migrate.forceFreeMigrationsLock(options);
      await database.migrate.latest(options);
    });
  } catch (error) {
    const answer = answerTo(error);
    throw answer === undefined ? error : new Error(answer, { cause: error });
  } finally {
    await database.destroy();
  }
}

type AnswerTo = (error: unknown) => string | undefined;

/** Knex puts the whole statement before what the server says about it; the answer is the server's part alone, and the statement goes to the log. */
function noteAnswers(ctx: HookContext, database: Knex): AnswerTo {
  const answers = new WeakMap<object, string>();
  database.on('query-error', (error: Error, { sql }: { readonly sql: string }) => {
    ctx.log(`failed: ${sql}`);
    const before = `${sql} - `;
    if (error.message.startsWith(before)) answers.set(error, error.message.slice(before.length));
  });
  return (error) => (typeof error === 'object' && error !== null ? answers.get(error) : undefined);
}

/** Ours, so that TypeScript is read as the config is, and a failure carries the migration's name. */
function sourceOf(ctx: HookContext, files: readonly MigrationFile[], answerTo: AnswerTo): Knex.MigrationSource<MigrationFile> {
  return {
    getMigrations: async () => [...files],
    getMigrationName: ({ name }) => name,
    getMigration: async ({ name, load }) => {
      const module = exportsOf<KnexModule>(await load(ctx), 'up');
      const named = (step: unknown) =>
        typeof step !== 'function'
          ? step
          : async (database: Knex) => {
              try {
                return await step.call(module, database);
              } catch (error) {
                throw nameFailure(name, error, answerTo(error));
              }
            };
      return { ...module, up: named(module.up), down: named(module.down) } as Knex.Migration;
    },
  };
}

function logTo(ctx: HookContext): Knex.Logger {
  const log = (message: unknown): void => ctx.log(typeof message === 'string' ? message : JSON.stringify(message));
  return { debug: () => undefined, deprecate: log, warn: log, error: log };
}
