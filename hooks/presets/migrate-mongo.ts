import path from 'node:path';
import type { Db, MongoClient } from 'mongodb';
import type { HookContext, Migrator } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { asCommand, createPreset, type Prepared } from './in-process.js';
import { listMigrations } from './list-migrations.js';
import { loadPackage } from './load-package.js';

export interface MigrateMongoOptions {
  /** Relative to the config file. @default './migrations' */
  readonly directory?: string;
  /** @default 'changelog' */
  readonly changelogCollectionName?: string;
  /** @default '.js' */
  readonly migrationFileExtension?: string;
  /** Runs a file again whose text has changed. @default false */
  readonly useFileHash?: boolean;
}

export interface MigrateMongoCommandOptions extends MigrateMongoOptions {
  /** It then reads `DATABASE_URL`. @default './migrate-mongo-config.js' */
  readonly config?: string;
  /** Further arguments. */
  readonly args?: readonly string[];
}

interface ChangelogEntry {
  readonly fileName: string;
  readonly appliedAt: Date;
}

interface Library {
  readonly config: { set(config: Readonly<Record<string, unknown>>): void };
  up(db: Db, client: MongoClient): Promise<readonly string[]>;
}

interface Ready extends Prepared {
  readonly library: Library;
  readonly settings: Readonly<Record<string, unknown>>;
}

const PRESET = 'migrateMongo()';
const INSTALL = 'npm i -D migrate-mongo mongodb';

function createMigrateMongoPreset(options: MigrateMongoOptions = {}): Migrator {
  const {
    directory = './migrations',
    changelogCollectionName = 'changelog',
    migrationFileExtension = '.js',
    useFileHash = false,
  } = options;
  return createPreset<Ready>({
    name: 'migrate-mongo',
    prepare: async (project) => {
      const loaded = await loadPackage<{ readonly [Member in keyof Library]: Library[Member] | Promise<Library[Member]> }>(project.root, {
        name: 'migrate-mongo',
        preset: PRESET,
        install: INSTALL,
        versions: ['10.0.0', '15.0.0'],
      });
      // What it gives to CommonJS are promises of its members.
      const library: Library = { config: await loaded.config, up: await loaded.up };
      const files = await listMigrations(project, { preset: PRESET, directory, endings: [migrationFileExtension] });
      const names = files.map(({ name }) => name).filter((name) => name !== `sample-migration${migrationFileExtension}`);
      const migrationsDir = path.resolve(project.root, directory);
      // No lock of its own: two runs can both have it, and the lease covers the tenant.
      return {
        library,
        names,
        settings: { mongodb: {}, migrationsDir, changelogCollectionName, migrationFileExtension, useFileHash, lockTtl: 0 },
      };
    },
    readApplied: async (ctx) => {
      const entries = await openDb(ctx)
        .collection<ChangelogEntry>(changelogCollectionName)
        .find()
        .sort({ appliedAt: 1, fileName: 1 })
        .toArray();
      return entries.map(({ fileName }) => fileName);
    },
    run: async (ctx, { library, settings }) => {
      const db = openDb(ctx);
      // The same for every tenant: its configuration is one for the process.
      library.config.set(settings);
      for (const name of await library.up(db, keepTo(ctx, db))) ctx.log(`${name}: done`);
    },
  });
}

/**
 * migrate-mongo, in this process, for `hooks.migrate`. Its changelog is in the tenant's own database. Migrations are handed the tenant's `Db` and its
 * `MongoClient`, of the connection that tenancy has already.
 *
 * ```ts
 * migrate: migrateMongo({ directory: './migrations' })
 * ```
 *
 * `migrateMongo.command()` runs `migrate-mongo up` as a child process instead; its config then reads `DATABASE_URL`.
 */
export const migrateMongo = Object.assign(createMigrateMongoPreset, {
  command: ({ config = './migrate-mongo-config.js', args = [], ...options }: MigrateMongoCommandOptions = {}): Migrator =>
    asCommand(createMigrateMongoPreset(options), {
      binary: 'migrate-mongo',
      install: INSTALL,
      run: () => ({ args: ['up', '-f', config, ...args] }),
    }),
});

/**
 * Migrations find the tenant by `client.db()`, as where migrate-mongo connects itself; on the cluster's client that is the database of its URL. It serves
 * all tenants, so it isn't theirs to close.
 */
function keepTo(ctx: HookContext, db: Db): MongoClient {
  const own: Readonly<Record<string, unknown>> = {
    db: (name?: string) => {
      if (name === undefined || name === '' || name === db.databaseName) return db;
      throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
        tenant: ctx.tenant.id,
        reason: `client.db(${JSON.stringify(name)}) reaches beyond the tenant, whose database is ${db.databaseName}`,
        advice: 'leave the name out: client.db() is the tenant',
      });
    },
    close: () => Promise.resolve(),
  };
  return new Proxy(db.client, {
    get: (client, key) => {
      if (typeof key === 'string' && Object.hasOwn(own, key)) return own[key];
      const value: unknown = Reflect.get(client, key, client);
      return typeof value === 'function' ? value.bind(client) : value;
    },
  });
}

function openDb(ctx: HookContext): Db {
  if (ctx.driver.name === 'mongodb-database') return ctx.mongo<Db>();
  throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
    tenant: ctx.tenant.id,
    reason: `${PRESET} can't migrate a ${ctx.driver.name} tenant`,
    advice: `use a migrator that speaks to it, the built-in one for instance, where ctx.driver.name is '${ctx.driver.name}'`,
  });
}
