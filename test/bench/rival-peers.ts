// The migrators that teams call for one tenant after the other, each as its own documentation has it.
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Client, Pool } from 'pg';
import { benchMigrations } from './bench-migrations.js';

type MigrateSchema = (schema: string) => Promise<void>;

const peers = { knex: createKnex, kysely: createKysely, 'node-pg-migrate': createNodePgMigrate, drizzle: createDrizzle };

export type PeerName = keyof typeof peers;

export function isPeer(name: string): name is PeerName {
  return name in peers;
}

export function createPeer(name: PeerName, url: string): Promise<MigrateSchema> {
  return peers[name](url);
}

async function createKnex(url: string): Promise<MigrateSchema> {
  const { default: knex } = await import('knex');
  const migrationSource = {
    getMigrations: async () => benchMigrations.map(({ name }) => name),
    getMigrationName: (name: string) => name,
    getMigration: async (name: string) => ({
      up: async (database: { raw(sql: string): Promise<unknown> }) => database.raw(sqlOf(name)),
      down: async () => undefined,
    }),
  };
  return async (schema) => {
    const database = knex({ client: 'pg', connection: url, searchPath: [schema], pool: { min: 0, max: 1 } });
    await database.migrate.latest({ migrationSource, schemaName: schema } as never);
    await database.destroy();
  };
}

async function createKysely(url: string): Promise<MigrateSchema> {
  const { Kysely, Migrator, PostgresDialect, sql } = await import('kysely');
  const migrations = Object.fromEntries(
    benchMigrations.map((migration) => [
      migration.name,
      { up: async (database: unknown) => void (await sql.raw(migration.sql).execute(database as never)) },
    ]),
  );
  return async (schema) => {
    const pool = new Pool({ connectionString: url, max: 1, options: `-c search_path=${schema}` });
    const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
    const migrator = new Migrator({ db: database, provider: { getMigrations: async () => migrations }, migrationTableSchema: schema });
    const { error } = await migrator.migrateToLatest();
    await database.destroy();
    if (error !== undefined) throw error;
  };
}

async function createNodePgMigrate(url: string): Promise<MigrateSchema> {
  const { runner } = await import('node-pg-migrate');
  const dir = await mkdtemp(path.join(os.tmpdir(), 'bench-peer-'));
  for (const [index, { sql }] of benchMigrations.entries()) {
    await writeFile(path.join(dir, `${1_700_000_000_000 + index}_step.sql`), `-- Up Migration\n${sql}-- Down Migration\n`);
  }
  return async (schema) => {
    const dbClient = new Client({ connectionString: url });
    await dbClient.connect();
    await runner({
      dbClient,
      dir,
      direction: 'up',
      schema,
      migrationsTable: 'pgmigrations',
      migrationsSchema: schema,
      log: () => undefined,
    });
    await dbClient.end();
  };
}

async function createDrizzle(url: string): Promise<MigrateSchema> {
  const { drizzle } = await import('drizzle-orm/node-postgres');
  const { migrate } = await import('drizzle-orm/node-postgres/migrator');
  const migrationsFolder = await mkdtemp(path.join(os.tmpdir(), 'bench-peer-'));
  await mkdir(path.join(migrationsFolder, 'meta'));
  const entries = benchMigrations.map(({ name }, idx) => ({
    idx,
    version: '7',
    when: 1_700_000_000_000 + idx,
    tag: name,
    breakpoints: false,
  }));
  await writeFile(path.join(migrationsFolder, 'meta/_journal.json'), JSON.stringify({ version: '7', dialect: 'postgresql', entries }));
  for (const { name, sql } of benchMigrations) await writeFile(path.join(migrationsFolder, `${name}.sql`), sql);
  return async (schema) => {
    const pool = new Pool({ connectionString: url, max: 1, options: `-c search_path=${schema}` });
    await migrate(drizzle(pool), { migrationsFolder, migrationsSchema: schema });
    await pool.end();
  };
}

function sqlOf(name: string): string {
  return benchMigrations.find((migration) => migration.name === name)?.sql ?? '';
}
