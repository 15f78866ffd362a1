import type * as pg from 'pg';
import type { DataSource, DataSourceOptions, Logger, MigrationInterface } from 'typeorm';
import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { importClasses } from './import-classes.js';
import { importFile } from './import-file.js';
import { asCommand, createPreset, nameFailure, type Prepared } from './in-process.js';
import { loadPackage } from './load-package.js';
import { bindMysql, loadMysql } from './mysql-connection.js';
import { overlay } from './overlay.js';
import { bindPostgres, CONNECT_TIMEOUT_MS, loadPg } from './postgres-client.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable, type TenantHome } from './tenant-home.js';

export interface TypeormOptions {
  /**
   * The module that exports the `DataSource`, or its options; relative to the config file, TypeScript or not. Entities and migrations are taken from
   * it, and not where to connect: that is the tenant's.
   */
  readonly dataSource: string;
  /** What is a transaction: a migration, or all that are pending, or nothing. @default 'each' */
  readonly transaction?: 'each' | 'all' | 'none';
}

export interface TypeormCommandOptions extends TypeormOptions {
  /** Further arguments. */
  readonly args?: readonly string[];
}

type Library = Pick<typeof import('typeorm'), 'DataSource'>;
type Options = Readonly<Record<string, unknown>>;
type MigrationClass = new () => MigrationInterface;

interface Ready extends Prepared {
  readonly library: Library;
  readonly options: Options;
}

const PRESET = 'typeorm()';
const INSTALL = 'npm i -D typeorm pg';

function createTypeormPreset({ dataSource, transaction = 'each' }: TypeormOptions): Migrator {
  return createPreset<Ready>({
    name: 'typeorm',
    prepare: async (project) => {
      const library = await loadPackage<Library>(project.root, {
        name: 'typeorm',
        preset: PRESET,
        install: INSTALL,
        versions: ['0.3.0', '2.0.0'],
      });
      const options = await readOptions(project, dataSource);
      const migrations = await importClasses<MigrationClass>(project, PRESET, options['migrations']);
      const entities = await importClasses(project, PRESET, options['entities']);
      return { library, options: { ...options, migrations, entities }, names: sortByTime(migrations.map(nameOf)) };
    },
    readApplied: async (ctx, { options }) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const table = (options['migrationsTableName'] as string | undefined) ?? 'migrations';
      const from = quoteTable(home, table, home.engine === 'postgres' ? ((options['schema'] as string | undefined) ?? null) : null);
      const rows = await readRows<{ name: string }>(ctx, `SELECT name FROM ${from} ORDER BY id`);
      return rows.map(({ name }) => name);
    },
    run: async (ctx, { library, options }) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const { logger, failed } = createLogger(ctx);
      const use = async (connection: Options): Promise<void> => {
        const source = new library.DataSource({
          ...onlyMigrating(options),
          ...connection,
          logger,
          logging: true,
        } as unknown as DataSourceOptions);
        try {
          await source.initialize();
          await source.runMigrations({ transaction });
        } catch (error) {
          const name = failed();
          throw name === null ? error : nameFailure(name, error);
        } finally {
          await close(source);
        }
      };
      await (home.engine === 'postgres' ? onPostgres : onMysql)(ctx, home, options, use);
    },
  });
}

/**
 * TypeORM's migrations, in this process, for `hooks.migrate`: those of your DataSource, over a connection of the tenant's own. Its table is in the tenant's
 * own schema, `synchronize` and `dropSchema` are off, and no extension is made on the way.
 *
 * ```ts
 * migrate: typeorm({ dataSource: './data-source.ts' })
 * ```
 *
 * `typeorm.command({ dataSource })` runs `typeorm migration:run` as a child process instead; the data source then reads `DATABASE_URL` and
 * `TENANCY_SCHEMA`.
 */
export const typeorm = Object.assign(createTypeormPreset, {
  command: ({ args = [], ...options }: TypeormCommandOptions): Migrator =>
    asCommand(createTypeormPreset(options), {
      binary: 'typeorm',
      install: INSTALL,
      run: () => ({ args: ['migration:run', '--dataSource', options.dataSource, '--transaction', options.transaction ?? 'each', ...args] }),
    }),
});

/** A DataSource that isn't initialised knows its options; what is exported may also be the options alone. */
async function readOptions(project: ProjectContext, file: string): Promise<Options> {
  const exported = (await importFile(project, { preset: PRESET, option: 'dataSource', file })) as Record<string, unknown>;
  const { default: whole, ...named } = exported;
  const candidates = [whole, ...(isObject(whole) ? Object.values(whole) : []), ...Object.values(named)].filter(isObject);
  const source = candidates.find((value) => isObject(value['options']) && typeof value['initialize'] === 'function');
  const options = (source?.['options'] as Options | undefined) ?? candidates.find(({ type }) => typeof type === 'string');
  if (options !== undefined) return options;
  throw new TenancyError('TENANCY_PRESET_REJECTED', {
    preset: PRESET,
    problem: `\`dataSource\`: ${file} exports neither a DataSource nor its options`,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** TypeORM goes by the number that a name ends in. */
function sortByTime(names: readonly string[]): readonly string[] {
  return [...names].sort((a, b) => Number.parseInt(a.slice(-13), 10) - Number.parseInt(b.slice(-13), 10));
}

/** The migration's own `name`, if it has one, else that of its class. */
function nameOf(migration: MigrationClass): string {
  return new migration().name ?? migration.name;
}

/** As TypeORM's own command runs migrations; and without the ways in which a data source says where to connect. */
function onlyMigrating(options: Options): Options {
  const { url: _, host, port, username, password, socketPath, ssl, replication, extra, cache, ...rest } = options;
  return { ...rest, subscribers: [], synchronize: false, migrationsRun: false, dropSchema: false, poolSize: 1 };
}

type Use = (connection: Options) => Promise<void>;

async function onPostgres(ctx: HookContext, home: TenantHome, options: Options, use: Use): Promise<void> {
  const tenant = bindPostgres(ctx, await loadPg(ctx.root, { preset: PRESET, install: INSTALL }), home);
  class TenantPool extends tenant.pg.Pool {
    constructor() {
      super({ max: 1, Client: tenant.Client, connectionTimeoutMillis: CONNECT_TIMEOUT_MS } as pg.PoolConfig);
    }
  }
  // Its own pool, so that where it connects to needs no options. `native` would be taken in its place.
  const driver = overlay(tenant.pg, { Pool: TenantPool, native: undefined });
  try {
    await use({
      type: 'postgres',
      driver,
      database: undefined,
      schema: home.schema ?? options['schema'],
      // In a schema tenant it would be made in the tenant's schema, and be dropped with it, with the columns of all others.
      installExtensions: home.schema === null ? options['installExtensions'] : false,
    });
  } finally {
    tenant.close();
  }
}

async function onMysql(ctx: HookContext, _home: TenantHome, options: Options, use: Use): Promise<void> {
  const tenant = bindMysql(ctx, await loadMysql(ctx.root, { preset: PRESET, install: 'npm i -D typeorm mysql2' }));
  const createPool = () => {
    const pool = tenant.mysql.createPool({ ...tenant.config, connectionLimit: 1 });
    pool.on('connection', (connection) => tenant.adopt(connection));
    return pool;
  };
  try {
    const driver = overlay(tenant.mysql, { createPool });
    await use({ type: options['type'] === 'mariadb' ? 'mariadb' : 'mysql', driver, database: ctx.placement.name });
  } finally {
    tenant.close();
  }
}

async function close(source: DataSource): Promise<void> {
  if (source.isInitialized) await source.destroy();
}

/** What TypeORM says goes to the tenant's log; which migration failed, it says there alone. */
function createLogger(ctx: HookContext): { readonly logger: Logger; failed(): string | null } {
  let failed: string | null = null;
  const logger: Logger = {
    logQuery: () => undefined,
    logQueryError: (error, query) => ctx.log(`${String(error)}\n${query}`),
    logQuerySlow: () => undefined,
    logSchemaBuild: (message) => ctx.log(message),
    logMigration: (message) => {
      failed = /^Migration "(.+?)" failed, error: /.exec(message)?.[1] ?? failed;
      ctx.log(message);
    },
    log: (_level, message) => ctx.log(String(message)),
  };
  return { logger, failed: () => failed };
}
