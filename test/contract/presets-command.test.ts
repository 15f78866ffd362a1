import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drizzle, knex, kysely, nodePgMigrate, sequelize, typeorm } from '../../hooks/index.js';
import type { Migrator } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import { repositoryRoot } from '../rig/cli.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';

interface CommandCase {
  readonly name: string;
  readonly migrator: () => Migrator;
  readonly table: string;
  readonly version: string;
  readonly files: Readonly<Record<string, string>>;
}

/** As a user of each tool's program has it: the configuration reads the environment. Nothing is TypeScript, which not each of them reads by itself. */
const cases: readonly CommandCase[] = [
  {
    name: 'knex',
    migrator: () => knex.command({ knexfile: './knexfile.cjs', directory: './migrations' }),
    table: 'knex_migrations',
    version: '0001_notes.cjs',
    files: {
      'knexfile.cjs': `module.exports = {
  client: 'pg',
  connection: process.env.DATABASE_URL,
  migrations: { directory: './migrations', schemaName: process.env.TENANCY_SCHEMA || undefined, loadExtensions: ['.cjs'] },
};
`,
      'migrations/0001_notes.cjs': `exports.up = (knex) => knex.schema.createTable('notes', (table) => void table.increments('id'));
exports.down = (knex) => knex.schema.dropTable('notes');
`,
    },
  },
  {
    name: 'drizzle',
    migrator: () => drizzle.command({ directory: './drizzle', config: 'drizzle.config.cjs' }),
    table: '__drizzle_migrations',
    version: '0000_notes',
    files: {
      'drizzle.config.cjs': `module.exports = {
  dialect: 'postgresql',
  out: './drizzle',
  dbCredentials: { url: process.env.DATABASE_URL },
  migrations: { schema: process.env.TENANCY_SCHEMA || 'drizzle' },
};
`,
      'drizzle/0000_notes.sql': 'CREATE TABLE "notes" ("id" int);',
      'drizzle/meta/_journal.json': JSON.stringify({
        version: '7',
        dialect: 'postgresql',
        entries: [{ idx: 0, version: '7', when: 1_705_310_000_000, tag: '0000_notes', breakpoints: true }],
      }),
    },
  },
  {
    name: 'typeorm',
    migrator: () => typeorm.command({ dataSource: './data-source.cjs' }),
    table: 'migrations',
    version: 'Notes1709280000000',
    files: {
      'data-source.cjs': `const { DataSource } = require('typeorm');
module.exports = new DataSource({
  type: 'postgres',
  url: process.env.DATABASE_URL,
  schema: process.env.TENANCY_SCHEMA || undefined,
  migrations: ['migrations/*.cjs'],
});
`,
      'migrations/1709280000000-notes.cjs': `exports.Notes1709280000000 = class Notes1709280000000 {
  async up(runner) {
    await runner.query('CREATE TABLE notes (id int)');
  }
  async down() {}
};
`,
    },
  },
  {
    name: 'sequelize',
    migrator: () => sequelize.command({ config: './config.cjs' }),
    table: 'SequelizeMeta',
    version: '0001-notes.cjs',
    files: {
      'config.cjs': `const { DATABASE_URL, TENANCY_SCHEMA } = process.env;
module.exports = {
  use_env_variable: 'DATABASE_URL',
  dialect: 'postgres',
  dialectOptions: { options: new URL(DATABASE_URL).searchParams.get('options') },
  migrationStorageTableSchema: TENANCY_SCHEMA || undefined,
};
`,
      'migrations/0001-notes.cjs': `module.exports = { up: (queryInterface) => queryInterface.sequelize.query('CREATE TABLE notes (id int)') };\n`,
    },
  },
  {
    name: 'node-pg-migrate',
    migrator: () => nodePgMigrate.command(),
    table: 'pgmigrations',
    version: '0001_notes',
    files: { 'migrations/0001_notes.sql': 'CREATE TABLE notes (id int);\n' },
  },
];

describe.each(cases.map((one) => [one.name, one] as const))("%s.command(), the tool's own program", { timeout: 60_000 }, (_name, one) => {
  let database: TestDatabase;
  let root: string;

  beforeEach(async () => {
    [database, root] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'presets-'))]);
    await symlink(path.join(repositoryRoot, 'node_modules'), path.join(root, 'node_modules'), 'dir');
    await writeFile(path.join(root, 'package.json'), '{ "type": "module" }\n');
    for (const [file, text] of Object.entries(one.files)) {
      await mkdir(path.dirname(path.join(root, file)), { recursive: true });
      await writeFile(path.join(root, file), text);
    }
  });
  afterEach(async () => {
    // Where drizzle-kit keeps what it has compiled.
    await rm(path.join(tmpdir(), `tsx-${process.getuid?.() ?? 0}`), { recursive: true, force: true });
    await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
  });

  it('migrates the second tenant as it does the first, each in its own schema, and knows that it did', async () => {
    const { url } = database;
    const tenancy = await createTenancy(
      {
        clusters: { main: { url } },
        placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
        hooks: { migrate: one.migrator() },
        defaults: { retries: 0 },
      },
      { root },
    );
    try {
      const report = await tenancy.provision(['acme', 'globex']);
      expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
      for (const id of ['acme', 'globex']) {
        expect((await tenancy.find(id)).schemaVersion).toBe(one.version);
        const schema = `tenant_${id}`;
        expect(await database.query(`SELECT 1 AS row FROM ${schema}."${one.table}"`)).toEqual([{ row: 1 }]);
        expect(await database.query(`SELECT * FROM ${schema}.notes`)).toEqual([]);
      }
      expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({ counts: { 'up-to-date': 2 } });
    } finally {
      await tenancy.close();
    }
  });
});

describe('a command of a tool whose program is not installed', () => {
  it('says so before any tenant is touched', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'presets-'));
    const project = { root, signal: new AbortController().signal, importModule: (file: string) => import(file) };
    try {
      // It asks for the program first.
      for (const migrator of [kysely.command()]) {
        await expect(migrator.target(project)).rejects.toMatchObject({ code: 'TENANCY_BINARY_MISSING', exitCode: 2 });
      }
    } finally {
      await rm(root, { recursive: true, maxRetries: 5 });
    }
  });
});
