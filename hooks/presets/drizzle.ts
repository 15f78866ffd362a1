import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { MigrationMeta } from 'drizzle-orm/migrator';
import type { HookContext, Migrator } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { asCommand, createPreset, nameFailure, type Prepared } from './in-process.js';
import { loadPackage } from './load-package.js';
import { bindMysql, loadMysql } from './mysql-connection.js';
import { bindPostgres, loadPg } from './postgres-client.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable, type TenantHome } from './tenant-home.js';

export interface DrizzleOptions {
  /** `out` of drizzle.config.ts: the folder with `meta/_journal.json`, relative to the config file. @default './drizzle' */
  readonly directory?: string;
  /** @default '__drizzle_migrations' */
  readonly migrationsTable?: string;
  /** For tenants with a database each; in a schema tenant the table is always in the tenant's own. @default 'drizzle' */
  readonly migrationsSchema?: string;
  /** Lets what drizzle-kit writes as `"public".` be the tenant's schema instead: it writes so for each foreign key and enum. */
  readonly schemas?: { readonly public: 'tenant' };
}

export interface DrizzleCommandOptions extends DrizzleOptions {
  /** @default drizzle-kit's: drizzle.config.ts */
  readonly config?: string;
}

/** One migration as the journal lists it; `when` is what Drizzle writes into its table, and all that it goes by. */
interface JournalEntry {
  readonly tag: string;
  readonly when: number;
}

interface Ready extends Prepared {
  readonly folder: string;
  readonly entries: readonly JournalEntry[];
  readonly migrations: readonly MigrationMeta[];
}

/** What `migrate` of drizzle-orm calls, also for migrations that were read, and changed, beforehand. */
interface DrizzleDatabase {
  readonly dialect: { migrate(migrations: readonly MigrationMeta[], session: unknown, config: object): Promise<void> };
  readonly session: unknown;
}

const PRESET = 'drizzle()';
const INSTALL = 'npm i -D drizzle-orm pg';
const VERSIONS = ['0.30.0', '1.0.0'] as const;
const PUBLIC = /"public"\./g;

function createDrizzlePreset(options: DrizzleOptions = {}): Migrator {
  const table = options.migrationsTable ?? '__drizzle_migrations';
  return createPreset<Ready>({
    name: 'drizzle',
    prepare: async (project) => {
      const request = { preset: PRESET, install: INSTALL, versions: VERSIONS };
      const library = await loadPackage<typeof import('drizzle-orm/migrator')>(project.root, { ...request, name: 'drizzle-orm/migrator' });
      const folder = path.resolve(project.root, options.directory ?? './drizzle');
      const entries = await readJournal(folder);
      return {
        folder,
        entries,
        migrations: readFiles(library, folder),
        names: entries.map(({ tag }) => tag),
      };
    },
    readApplied: async (ctx, { entries }) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const from = quoteTable(home, table, home.engine === 'postgres' ? (options.migrationsSchema ?? 'drizzle') : null);
      const rows = await readRows<{ created_at: string | number }>(ctx, `SELECT created_at FROM ${from} ORDER BY created_at, id`);
      return rows.map(({ created_at: when }) => entries.find((entry) => entry.when === Number(when))?.tag ?? String(when));
    },
    run: async (ctx, ready) => {
      const home = locateHome(ctx, PRESET, ['postgres', 'mysql']);
      const config = {
        migrationsFolder: ready.folder,
        migrationsTable: table,
        migrationsSchema: home.schema ?? options.migrationsSchema ?? 'drizzle',
      };
      const migrations = bindToSchema(ctx, ready, home, options);
      const migrate = async (database: DrizzleDatabase): Promise<void> => {
        try {
          await database.dialect.migrate(migrations, database.session, config);
        } catch (error) {
          throw nameMigration(error, ready.entries, migrations);
        }
      };
      await (home.engine === 'postgres' ? runOnPostgres(ctx, home, migrate) : runOnMysql(ctx, migrate));
    },
  });
}

/**
 * Drizzle's migrations, in this process, for `hooks.migrate`. Its table is in the tenant's own schema: with Drizzle's default, one schema `drizzle` for
 * the whole database, every tenant but the first would be told that there is nothing to do.
 *
 * ```ts
 * migrate: drizzle({ directory: './drizzle', schemas: { public: 'tenant' } })
 * ```
 *
 * `drizzle.command()` runs `drizzle-kit migrate` as a child process instead; drizzle.config.ts then reads `DATABASE_URL` and `TENANCY_SCHEMA`.
 */
export const drizzle = Object.assign(createDrizzlePreset, {
  command: ({ config, ...options }: DrizzleCommandOptions = {}): Migrator =>
    asCommand(createDrizzlePreset(options), {
      binary: 'drizzle-kit',
      install: 'npm i -D drizzle-kit drizzle-orm pg',
      run: () => ({ args: ['migrate', ...(config === undefined ? [] : [`--config=${config}`])] }),
    }),
});

/** What the journal names and isn't there is Drizzle's to say. */
function readFiles(library: typeof import('drizzle-orm/migrator'), folder: string): Ready['migrations'] {
  try {
    return library.readMigrationFiles({ migrationsFolder: folder });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new TenancyError('TENANCY_PRESET_REJECTED', { preset: PRESET, problem: `\`directory\`: ${problem}` });
  }
}

async function readJournal(folder: string): Promise<readonly JournalEntry[]> {
  const file = path.join(folder, 'meta', '_journal.json');
  try {
    const { entries } = JSON.parse(await readFile(file, 'utf8')) as { readonly entries: readonly JournalEntry[] };
    // Drizzle goes by the time alone, whatever the order of the entries.
    return [...entries].sort((a, b) => a.when - b.when);
  } catch (error) {
    const problem = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(error);
    throw new TenancyError('TENANCY_PRESET_REJECTED', { preset: PRESET, problem: `\`directory\`: ${file}: ${problem}` });
  }
}

/** The hash stays that of the file, as it is what Drizzle records. */
function bindToSchema(
  ctx: HookContext,
  { entries, migrations }: Ready,
  home: TenantHome,
  options: DrizzleOptions,
): readonly MigrationMeta[] {
  const { schema } = home;
  if (schema === null) return migrations;
  const found = migrations.find(({ sql }) => sql.some((statement) => statement.match(PUBLIC) !== null));
  if (found === undefined) return migrations;
  if (options.schemas?.public !== 'tenant') {
    const tag = entries.find(({ when }) => when === found.folderMillis)?.tag ?? 'a migration';
    throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
      tenant: ctx.tenant.id,
      reason: `${tag} names "public"., which is not the tenant's schema`,
      advice: "have it mean the tenant's: drizzle({ schemas: { public: 'tenant' } })",
    });
  }
  const quoted = `"${schema.replaceAll('"', '""')}".`;
  return migrations.map((migration) => ({ ...migration, sql: migration.sql.map((statement) => statement.replace(PUBLIC, () => quoted)) }));
}

async function runOnPostgres(ctx: HookContext, home: TenantHome, migrate: (database: DrizzleDatabase) => Promise<void>): Promise<void> {
  const request = { preset: PRESET, install: INSTALL };
  const library = await loadPackage<typeof import('drizzle-orm/node-postgres')>(ctx.root, {
    ...request,
    name: 'drizzle-orm/node-postgres',
  });
  const tenant = bindPostgres(ctx, await loadPg(ctx.root, request), home);
  try {
    const client = new tenant.Client();
    await client.connect();
    await migrate(library.drizzle(client) as unknown as DrizzleDatabase);
    await client.end();
  } finally {
    tenant.close();
  }
}

async function runOnMysql(ctx: HookContext, migrate: (database: DrizzleDatabase) => Promise<void>): Promise<void> {
  const request = { preset: PRESET, install: 'npm i -D drizzle-orm mysql2' };
  const library = await loadPackage<typeof import('drizzle-orm/mysql2')>(ctx.root, { ...request, name: 'drizzle-orm/mysql2' });
  const tenant = bindMysql(ctx, await loadMysql(ctx.root, request));
  try {
    const connection = tenant.mysql.createConnection(tenant.config);
    tenant.adopt(connection);
    await migrate(library.drizzle({ client: connection }) as unknown as DrizzleDatabase);
    await connection.promise().end();
  } finally {
    tenant.close();
  }
}

/** What Drizzle throws holds the statement, and the statement is of one migration. */
function nameMigration(error: unknown, entries: readonly JournalEntry[], migrations: readonly MigrationMeta[]): unknown {
  const statement = (error as { readonly query?: unknown } | null)?.query;
  const failed = typeof statement === 'string' ? migrations.find(({ sql }) => sql.includes(statement)) : undefined;
  const tag = entries.find(({ when }) => when === failed?.folderMillis)?.tag;
  if (tag === undefined) return error;
  // "Failed query: <the whole statement>", and what the server said only in its cause.
  return nameFailure(tag, (error as Error).cause ?? error);
}
