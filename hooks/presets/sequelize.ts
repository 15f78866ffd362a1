import path from 'node:path';
import type { ModelStatic, QueryInterface, Sequelize, Options as SequelizeConfig } from 'sequelize';
import type { HookContext, Migrator } from '../../src/config/types.js';
import { asCommand, createPreset, nameFailure, type Prepared } from './in-process.js';
import { exportsOf, listMigrations, type MigrationFile, MODULE_ENDINGS } from './list-migrations.js';
import { loadPackage } from './load-package.js';
import { bindMysql, loadMysql } from './mysql-connection.js';
import { overlay } from './overlay.js';
import { bindPostgres, CONNECT_TIMEOUT_MS, loadPg } from './postgres-client.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable, type TenantHome } from './tenant-home.js';

export interface SequelizeOptions {
  /** Relative to the config file. @default './migrations' */
  readonly directory?: string;
  /** @default 'SequelizeMeta' */
  readonly tableName?: string;
  /** For migrations that umzug was given a context of its own for: what that is made of. @default the QueryInterface */
  context?(sequelize: unknown): unknown;
  /** Further options of Sequelize itself. Who connects, and where to, they don't say: that is the tenant's. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface SequelizeCommandOptions extends Pick<SequelizeOptions, 'directory' | 'tableName'> {
  /** Of sequelize-cli, which reads `DATABASE_URL` and `TENANCY_SCHEMA` there. @default what .sequelizerc says */
  readonly config?: string;
  /** Further arguments. */
  readonly args?: readonly string[];
}

type Library = typeof import('sequelize');

/** Both forms: `up(queryInterface, Sequelize)` of sequelize-cli, and `up({ context: queryInterface })` of umzug. */
interface SequelizeMigration {
  up(first: unknown, sequelize?: unknown): unknown;
}

interface Ready extends Prepared {
  readonly library: Library;
  readonly files: readonly MigrationFile[];
}

const PRESET = 'sequelize()';
const INSTALL = 'npm i -D sequelize pg';

function createSequelizePreset(options: SequelizeOptions = {}): Migrator {
  const table = options.tableName ?? 'SequelizeMeta';
  return createPreset<Ready>({
    name: 'sequelize',
    prepare: async (project) => {
      const library = await loadPackage<Library>(project.root, {
        name: 'sequelize',
        preset: PRESET,
        install: INSTALL,
        versions: ['6.0.0', '7.0.0'],
      });
      const files = await listMigrations(project, {
        preset: PRESET,
        directory: options.directory ?? './migrations',
        endings: MODULE_ENDINGS,
      });
      return { library, files, names: files.map(({ name }) => name) };
    },
    readApplied: async (ctx) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const rows = await readRows<{ name: string }>(ctx, `SELECT name FROM ${quoteTable(home, table)} ORDER BY name`);
      return rows.map(({ name }) => name);
    },
    run: async (ctx, ready) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const use = async (config: SequelizeConfig): Promise<void> => {
        const database = new ready.library.Sequelize({
          ...options.config,
          ...config,
          pool: { max: 1, min: 0, acquire: CONNECT_TIMEOUT_MS },
          logging: (sql) => ctx.log(sql),
        });
        try {
          await runPending(ctx, ready, database, { table, home, context: options.context });
        } catch (error) {
          throw driverError(error);
        } finally {
          await database.close();
        }
      };
      await (home.engine === 'postgres' ? onPostgres : onMysql)(ctx, home, use);
    },
  });
}

/**
 * Sequelize's migrations, in this process, for `hooks.migrate`: those of sequelize-cli and those of umzug, recorded as both do it, in `SequelizeMeta` in the
 * tenant's own schema.
 *
 * ```ts
 * migrate: sequelize({ directory: './migrations' })
 * ```
 *
 * `sequelize.command()` runs `sequelize-cli db:migrate` as a child process instead; its config then reads `DATABASE_URL` and `TENANCY_SCHEMA`.
 */
export const sequelize = Object.assign(createSequelizePreset, {
  command: ({ config, args = [], ...options }: SequelizeCommandOptions = {}): Migrator =>
    asCommand(createSequelizePreset(options), {
      binary: 'sequelize-cli',
      install: 'npm i -D sequelize-cli sequelize pg',
      run: ({ root }) => {
        const folder = path.resolve(root, options.directory ?? './migrations');
        return { args: ['db:migrate', '--migrations-path', folder, ...(config === undefined ? [] : ['--config', config]), ...args] };
      },
    }),
});

interface RunOptions {
  readonly table: string;
  readonly home: TenantHome;
  readonly context: SequelizeOptions['context'];
}

async function runPending(ctx: HookContext, { library, files }: Ready, database: Sequelize, options: RunOptions): Promise<void> {
  const history = defineHistory(library, database, options);
  await history.sync();
  const applied = new Set((await history.findAll()).map((row) => row.get('name')));
  const queryInterface = database.getQueryInterface();
  for (const { name, path: file, load } of files) {
    if (applied.has(name)) continue;
    ctx.signal.throwIfAborted();
    const migration = exportsOf<SequelizeMigration>(await load(ctx), 'up');
    try {
      if (options.context === undefined) await migration.up(asBoth(queryInterface, name, file), library.Sequelize);
      else await migration.up({ context: options.context(database), name, path: file });
    } catch (error) {
      throw nameFailure(name, driverError(error));
    }
    await history.create({ name });
    ctx.log(`${name}: done`);
  }
}

/** What node-pg or mysql2 threw, by which is decided whether to try again: Sequelize keeps it under a name of its own. */
function driverError(error: unknown): unknown {
  const { parent } = (error ?? {}) as { readonly parent?: unknown };
  return parent instanceof Error ? parent : error;
}

/** The QueryInterface itself, for sequelize-cli's migrations, and what umzug hands to its. */
function asBoth(queryInterface: QueryInterface, name: string, file: string): unknown {
  return Object.assign(Object.create(queryInterface) as object, { context: queryInterface, name, path: file });
}

/** As umzug's SequelizeStorage and sequelize-cli define it. */
function defineHistory({ DataTypes }: Library, database: Sequelize, { table, home }: RunOptions): ModelStatic<import('sequelize').Model> {
  return database.define(
    table,
    { name: { type: DataTypes.STRING, allowNull: false, unique: true, primaryKey: true, autoIncrement: false } },
    {
      tableName: table,
      timestamps: false,
      ...(home.schema === null ? {} : { schema: home.schema }),
      ...(home.engine === 'mysql' ? { charset: 'utf8', collate: 'utf8_unicode_ci' } : {}),
    },
  );
}

type Use = (config: SequelizeConfig) => Promise<void>;

async function onPostgres(ctx: HookContext, home: TenantHome, use: Use): Promise<void> {
  const tenant = bindPostgres(ctx, await loadPg(ctx.root, { preset: PRESET, install: INSTALL }), home);
  try {
    // Its own client, so that where it connects to needs no options.
    await use({ dialect: 'postgres', dialectModule: overlay(tenant.pg, { Client: tenant.Client }) });
  } finally {
    tenant.close();
  }
}

async function onMysql(ctx: HookContext, _home: TenantHome, use: Use): Promise<void> {
  const tenant = bindMysql(ctx, await loadMysql(ctx.root, { preset: PRESET, install: 'npm i -D sequelize mysql2' }));
  try {
    const createConnection = (given: object) => {
      const { host: _host, port: _port, user: _user, password: _password, database: _database, ...rest } = given as Record<string, unknown>;
      const connection = tenant.mysql.createConnection({ ...rest, ...tenant.config });
      tenant.adopt(connection);
      return connection;
    };
    await use({ dialect: 'mysql', dialectModule: overlay(tenant.mysql, { createConnection }) });
  } finally {
    tenant.close();
  }
}
