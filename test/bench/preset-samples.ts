import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A migrator that runs in process, with a project of a few lines, as both the library and the program of the tool read it. */
export interface PresetSample {
  /** In words, for the table. */
  readonly name: string;
  /** @default 'postgres', where tenants are schemas of one database; in MongoDB each is a database */
  readonly engine?: 'mongodb';
  readonly packages: readonly string[];
  /** An expression, with `presets` being `tenancy-cli/hooks`. */
  readonly migrator: string;
  /** The same by the tool's own program, `node_modules/.bin/…`; null where there is none. */
  readonly command: { readonly migrator: string; readonly program: string; readonly install: string } | null;
  readonly files: Readonly<Record<string, string>>;
  /** Writes migration number `n`, one that makes something or one that only waits. */
  write(directory: string, n: number, what: 'make' | 'sleep'): Promise<void>;
}

export const SLEEP_S = 0.2;

export const SQL = { make: 'CREATE TABLE base (id bigint PRIMARY KEY)', sleep: `SELECT pg_sleep(${SLEEP_S})` } as const;

const stampOf = (n: number): number => 1_700_000_000_000 + n * 1_000;

/** Writes a file of the project's migrations. */
export async function put(directory: string, file: string, text: string): Promise<void> {
  const target = path.join(directory, 'migrations', file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
}

/** A file and its entry in the journal, as drizzle-kit writes them. */
export async function writeDrizzle(directory: string, n: number, what: keyof typeof SQL): Promise<void> {
  const tag = `${String(n).padStart(4, '0')}_step`;
  await put(directory, `${tag}.sql`, `${SQL[what]};\n`);
  const journal = await readFile(path.join(directory, 'migrations/meta/_journal.json'), 'utf8').catch(() => '{"entries":[]}');
  const { entries } = JSON.parse(journal) as { entries: object[] };
  entries.push({ idx: n, version: '7', when: stampOf(n), tag, breakpoints: true });
  await put(directory, 'meta/_journal.json', JSON.stringify({ version: '7', dialect: 'postgresql', entries }));
}

export const presetSamples: readonly PresetSample[] = [
  {
    name: 'knex()',
    packages: ['knex', 'pg'],
    migrator: "presets.knex({ directory: './migrations' })",
    command: {
      migrator: "presets.knex.command({ knexfile: './knexfile.cjs', directory: './migrations' })",
      program: 'knex',
      install: 'knex',
    },
    files: {
      'knexfile.cjs': `const { DATABASE_URL: connection, TENANCY_SCHEMA: schemaName } = process.env;
module.exports = { client: 'pg', connection, migrations: { directory: './migrations', schemaName, loadExtensions: ['.cjs'] } };
`,
    },
    write: (directory, n, what) =>
      put(
        directory,
        `${stampOf(n)}_step.cjs`,
        `exports.up = (knex) => knex.raw(${JSON.stringify(SQL[what])});\nexports.down = async () => {};\n`,
      ),
  },
  {
    name: 'drizzle()',
    packages: ['drizzle-orm', 'drizzle-kit', 'pg'],
    migrator: "presets.drizzle({ directory: './migrations' })",
    command: {
      migrator: "presets.drizzle.command({ directory: './migrations', config: 'drizzle.config.cjs' })",
      program: 'drizzle-kit',
      install: 'drizzle-kit',
    },
    files: {
      'drizzle.config.cjs': `const { DATABASE_URL: url, TENANCY_SCHEMA: schema } = process.env;
module.exports = { dialect: 'postgresql', out: './migrations', dbCredentials: { url }, migrations: { schema } };
`,
    },
    write: writeDrizzle,
  },
  {
    name: 'kysely()',
    packages: ['kysely', 'pg'],
    migrator: "presets.kysely({ directory: './migrations' })",
    // Its program is not among our packages: `npm i --no-save kysely-ctl` has it measured too.
    command: { migrator: "presets.kysely.command({ directory: './migrations' })", program: 'kysely', install: 'kysely-ctl' },
    files: {
      'kysely.config.mjs': `import pg from 'pg';
const { DATABASE_URL: connectionString, TENANCY_SCHEMA: migrationTableSchema } = process.env;
export default {
  dialect: 'pg',
  dialectConfig: { pool: new pg.Pool({ connectionString }) },
  migrations: { migrationFolder: './migrations', migrationTableSchema, allowJS: true },
};
`,
    },
    write: (directory, n, what) =>
      put(
        directory,
        `${stampOf(n)}_step.mjs`,
        `import { sql } from 'kysely';\nexport const up = (db) => sql.raw(${JSON.stringify(SQL[what])}).execute(db);\n`,
      ),
  },
  {
    name: 'typeorm()',
    packages: ['typeorm', 'pg'],
    migrator: "presets.typeorm({ dataSource: './data-source.cjs' })",
    command: { migrator: "presets.typeorm.command({ dataSource: './data-source.cjs' })", program: 'typeorm', install: 'typeorm' },
    files: {
      'data-source.cjs': `const { DataSource } = require('typeorm');
const { DATABASE_URL: url, TENANCY_SCHEMA: schema } = process.env;
module.exports = new DataSource({ type: 'postgres', url, schema, migrations: ['migrations/*.cjs'] });
`,
    },
    write: (directory, n, what) =>
      put(
        directory,
        `${stampOf(n)}-step.cjs`,
        `exports.Step${stampOf(n)} = class Step${stampOf(n)} { up(runner) { return runner.query(${JSON.stringify(SQL[what])}); } async down() {} };\n`,
      ),
  },
  {
    name: 'sequelize()',
    packages: ['sequelize', 'sequelize-cli', 'pg'],
    migrator: "presets.sequelize({ directory: './migrations' })",
    command: { migrator: "presets.sequelize.command({ config: './config.cjs' })", program: 'sequelize-cli', install: 'sequelize-cli' },
    files: {
      'config.cjs': `const { DATABASE_URL = 'postgres://x/y', TENANCY_SCHEMA: migrationStorageTableSchema } = process.env;
const dialectOptions = { options: new URL(DATABASE_URL).searchParams.get('options') };
module.exports = { use_env_variable: 'DATABASE_URL', dialect: 'postgres', dialectOptions, migrationStorageTableSchema };
`,
    },
    write: (directory, n, what) =>
      put(directory, `${stampOf(n)}-step.cjs`, `exports.up = ({ sequelize }) => sequelize.query(${JSON.stringify(SQL[what])});\n`),
  },
  {
    name: 'nodePgMigrate()',
    packages: ['node-pg-migrate', 'pg'],
    migrator: "presets.nodePgMigrate({ directory: './migrations' })",
    command: {
      migrator: "presets.nodePgMigrate.command({ directory: './migrations' })",
      program: 'node-pg-migrate',
      install: 'node-pg-migrate',
    },
    files: {},
    write: (directory, n, what) => put(directory, `${stampOf(n)}_step.sql`, `${SQL[what]};\n`),
  },
  {
    name: 'migrateMongo()',
    engine: 'mongodb',
    packages: ['migrate-mongo', 'mongodb'],
    migrator: "presets.migrateMongo({ directory: './migrations', migrationFileExtension: '.mjs' })",
    command: {
      migrator: "presets.migrateMongo.command({ config: 'migrate-mongo.mjs', directory: './migrations', migrationFileExtension: '.mjs' })",
      program: 'migrate-mongo',
      install: 'migrate-mongo',
    },
    files: {
      'migrate-mongo.mjs': `export default {
  mongodb: { url: process.env.DATABASE_URL },
  migrationsDir: 'migrations',
  changelogCollectionName: 'changelog',
  migrationFileExtension: '.mjs',
  moduleSystem: 'esm',
};
`,
    },
    write: (directory, n, what) =>
      put(
        directory,
        `${20_240_000_000_000 + n}-step.mjs`,
        what === 'make'
          ? "export const up = (db) => db.createCollection('base');\n"
          : `export const up = () => new Promise((resolve) => setTimeout(resolve, ${SLEEP_S * 1_000}));\n`,
      ),
  },
];
