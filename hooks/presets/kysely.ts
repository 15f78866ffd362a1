import { createHash } from 'node:crypto';
import path from 'node:path';
import type * as KyselyLibrary from 'kysely';
import type { Kysely, Migration, MigratorProps } from 'kysely';
import type { PoolConfig } from 'pg';
import type { HookContext, Migrator } from '../../src/config/types.js';
import { asCommand, createPreset, nameFailure, type Prepared } from './in-process.js';
import { exportsOf, listMigrations, type MigrationFile, MODULE_ENDINGS } from './list-migrations.js';
import { loadPackage, resolvePackage } from './load-package.js';
import { bindMysql, loadMysql } from './mysql-connection.js';
import { bindPostgres, CONNECT_TIMEOUT_MS, loadPg } from './postgres-client.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable, type TenantHome } from './tenant-home.js';

export interface KyselyOptions {
  /** Relative to the config file. @default './migrations' */
  readonly directory?: string;
  /** @default 'kysely_migration' */
  readonly migrationTableName?: string;
  /** Runs one that was slipped in below the newest, which Kysely refuses by itself. @default false */
  readonly allowUnorderedMigrations?: boolean;
}

export interface KyselyCommandOptions extends KyselyOptions {
  /** After `migrate:latest`. */
  readonly args?: readonly string[];
}

type Library = typeof KyselyLibrary;
type LibraryWithMigrator = Pick<Library, 'Migrator'>;

interface Ready extends Prepared {
  readonly library: Library;
  readonly Migrator: Library['Migrator'];
  readonly files: readonly MigrationFile[];
}

const PRESET = 'kysely()';
const INSTALL = 'npm i -D kysely pg';
/** How long to wait for who else holds the tenant's lock: a run that lost its lease, and is about to end. */
const LOCK_TIMEOUT_S = 30;

function createKyselyPreset(options: KyselyOptions = {}): Migrator {
  const table = options.migrationTableName ?? 'kysely_migration';
  return createPreset<Ready>({
    name: 'kysely',
    prepare: async (project) => {
      const request = { preset: PRESET, install: INSTALL, versions: ['0.27.0', '0.30.0'] } as const;
      const library = await loadPackage<Library & Partial<LibraryWithMigrator>>(project.root, { ...request, name: 'kysely' });
      // A place of its own since 0.29.
      const place = resolvePackage(project.root, 'kysely/migration') === null ? 'kysely' : 'kysely/migration';
      const { Migrator } = await loadPackage<LibraryWithMigrator>(project.root, { ...request, name: place });
      const files = await listMigrations(project, {
        preset: PRESET,
        directory: options.directory ?? './migrations',
        endings: MODULE_ENDINGS,
      });
      return { library, Migrator, files, names: files.map(nameOf).sort() };
    },
    readApplied: async (ctx) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const rows = await readRows<{ name: string }>(ctx, `SELECT name FROM ${quoteTable(home, table)} ORDER BY timestamp, name`);
      return rows.map(({ name }) => name);
    },
    run: async (ctx, ready) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      await (home.engine === 'postgres' ? runOnPostgres : runOnMysql)(ctx, ready, home, async (db) => {
        const provider = { getMigrations: () => importMigrations(ctx, ready.files) };
        const props: MigratorProps = {
          db,
          provider,
          migrationTableName: table,
          ...(home.schema === null ? {} : { migrationTableSchema: home.schema }),
          ...(options.allowUnorderedMigrations === undefined ? {} : { allowUnorderedMigrations: options.allowUnorderedMigrations }),
        };
        // It returns what went wrong rather than throw it.
        const { error, results } = await new ready.Migrator(props).migrateToLatest();
        for (const { migrationName, status } of results ?? []) ctx.log(`${migrationName}: ${status}`);
        const failed = results?.find(({ status }) => status === 'Error');
        if (error !== undefined) throw failed === undefined ? error : nameFailure(failed.migrationName, error);
      });
    },
  });
}

/**
 * Kysely's migrator, in this process, for `hooks.migrate`. Its tables are in the tenant's own schema, and its lock is the tenant's own too: by itself
 * Kysely has one for the whole database, behind which all tenants would queue.
 *
 * ```ts
 * migrate: kysely({ directory: './migrations' })
 * ```
 *
 * `kysely.command()` runs `kysely migrate:latest`, of the package kysely-ctl, as a child process instead, with that one lock.
 */
export const kysely = Object.assign(createKyselyPreset, {
  command: ({ args = [], ...options }: KyselyCommandOptions = {}): Migrator =>
    asCommand(createKyselyPreset(options), {
      binary: 'kysely',
      install: 'npm i -D kysely-ctl kysely pg',
      run: () => ({ args: ['migrate:latest', ...args] }),
      lockScope: 'database',
    }),
});

function nameOf({ name }: MigrationFile): string {
  return path.basename(name, path.extname(name));
}

/** As Kysely's own FileMigrationProvider, through the loader that reads the config. */
async function importMigrations(ctx: HookContext, files: readonly MigrationFile[]): Promise<Record<string, Migration>> {
  const migrations: Record<string, Migration> = {};
  for (const file of files) migrations[nameOf(file)] = exportsOf<Migration>(await file.load(ctx), 'up');
  return migrations;
}

/** Kysely's own word for a database of any shape. */
type AnyKysely = Parameters<KyselyLibrary.Dialect['createIntrospector']>[0];
type Use = (db: Kysely<unknown>) => Promise<void>;

async function runOnPostgres(ctx: HookContext, { library }: Ready, home: TenantHome, use: Use): Promise<void> {
  const { sql, ...base } = library;
  const tenant = bindPostgres(ctx, await loadPg(ctx.root, { preset: PRESET, install: INSTALL }), home);
  const pool = new tenant.pg.Pool({ max: 1, Client: tenant.Client, connectionTimeoutMillis: CONNECT_TIMEOUT_MS } as PoolConfig);
  // Whoever waits for a query is told; a pool that nobody listens to would end the process.
  pool.on('error', () => undefined);

  class TenantAdapter extends base.PostgresAdapter {
    /** Held until the connection is closed, which is right after. */
    override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
      await sql`WITH waiting AS (SELECT set_config('lock_timeout', ${`${LOCK_TIMEOUT_S}s`}, true))
        SELECT pg_advisory_lock(hashtextextended(${`kysely:${home.schema ?? ''}`}, 0)) FROM waiting`.execute(db);
    }
    override async releaseMigrationLock(): Promise<void> {}
  }
  class TenantIntrospector extends base.PostgresIntrospector {
    readonly #db: AnyKysely;
    constructor(db: AnyKysely) {
      super(db);
      this.#db = db;
    }
    /** The migrator only asks whether its tables are there, and the answer for all tenants of a database at once takes seconds. */
    override async getTables(options?: KyselyLibrary.DatabaseMetadataOptions): Promise<KyselyLibrary.TableMetadata[]> {
      if (options?.withInternalKyselyTables !== true) return super.getTables(options);
      const { rows } = await sql<{ name: string; schema: string }>`
        SELECT tablename AS name, schemaname AS schema FROM pg_tables WHERE schemaname = current_schema()`.execute(this.#db);
      return rows.map((table) => ({ ...table, isView: false, isForeign: false, columns: [] }) as KyselyLibrary.TableMetadata);
    }
  }
  class TenantDialect extends base.PostgresDialect {
    override createAdapter(): KyselyLibrary.DialectAdapter {
      return new TenantAdapter();
    }
    override createIntrospector(db: AnyKysely): KyselyLibrary.DatabaseIntrospector {
      return new TenantIntrospector(db);
    }
  }

  try {
    const db = new base.Kysely<unknown>({ dialect: new TenantDialect({ pool }) });
    try {
      await use(db);
    } finally {
      await db.destroy();
    }
  } finally {
    tenant.close();
  }
}

async function runOnMysql(ctx: HookContext, { library }: Ready, _home: TenantHome, use: Use): Promise<void> {
  const { sql, ...base } = library;
  const tenant = bindMysql(ctx, await loadMysql(ctx.root, { preset: PRESET, install: 'npm i -D kysely mysql2' }));
  const pool = tenant.mysql.createPool({ ...tenant.config, connectionLimit: 1 });
  pool.on('connection', (connection) => tenant.adopt(connection));

  class TenantAdapter extends base.MysqlAdapter {
    /** GET_LOCK covers the whole server, and takes names of up to 64 characters. */
    override async acquireMigrationLock(db: Kysely<unknown>): Promise<void> {
      const name = `kysely:${createHash('sha256').update(ctx.placement.name).digest('hex').slice(0, 40)}`;
      const { rows } = await sql<{ held: number | null }>`SELECT GET_LOCK(${name}, ${LOCK_TIMEOUT_S}) AS held`.execute(db);
      if (Number(rows[0]?.held) !== 1) throw new Error(`somebody else has held the migrations' lock for ${LOCK_TIMEOUT_S} s`);
    }
    override async releaseMigrationLock(): Promise<void> {}
  }
  class TenantDialect extends base.MysqlDialect {
    override createAdapter(): KyselyLibrary.DialectAdapter {
      return new TenantAdapter();
    }
  }

  try {
    const db = new base.Kysely<unknown>({ dialect: new TenantDialect({ pool }) });
    try {
      await use(db);
    } finally {
      await db.destroy();
    }
  } finally {
    tenant.close();
  }
}
