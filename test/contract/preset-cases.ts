import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { drizzle, knex, kysely, nodePgMigrate, sequelize, typeorm } from '../../hooks/index.js';
import type { Migrator } from '../../src/config/types.js';

/** One migrator that runs in process, as the tests over all of them need it: how its migrations are written, and what it is known to do. */
export interface PresetCase {
  readonly name: string;
  /** Its package. */
  readonly library: string;
  /** Migrator as in a config; the migrations are in `migrations/`. */
  migrator(): Migrator;
  /** Writes migration number `n`, a statement long; the answer is what the tool calls it. */
  write(root: string, n: number, sql: string): Promise<string>;
  readonly table: string;
  /** Where its table is in a database of the tenant's own. */
  readonly databaseSchema: string;
  /** What the tool does about a migration that came in below the newest. */
  readonly slippedIn: 'runs' | 'refuses' | 'passes over';
  /** Writes migration number `n`, which throws a text; none for tools whose migrations are SQL. */
  throwing?(root: string, n: number): Promise<string>;
  /** Whether MySQL is spoken, too. */
  readonly speaksMysql: boolean;
}

const stamp = (n: number): string => String(1_700_000_000_000 + n * 1_000);

async function put(root: string, file: string, text: string): Promise<void> {
  const target = path.join(root, 'migrations', file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
}

export const presetCases: readonly PresetCase[] = [
  {
    name: 'knex',
    library: 'knex',
    migrator: () => knex({ directory: './migrations' }),
    write: async (root, n, sql) => {
      const file = `${stamp(n)}_step.ts`;
      await put(
        root,
        file,
        `import type { Knex } from 'knex';
export const up = (knex: Knex): Promise<void> => knex.raw(${JSON.stringify(sql)});
export const down = (): Promise<void> => Promise.resolve();
`,
      );
      return file;
    },
    throwing: async (root, n) => {
      const file = `${stamp(n)}_step.cjs`;
      await put(root, file, `exports.up = () => Promise.reject('no room');\nexports.down = async () => undefined;\n`);
      return file;
    },
    table: 'knex_migrations',
    databaseSchema: 'public',
    slippedIn: 'runs',
    speaksMysql: true,
  },
  {
    name: 'drizzle',
    library: 'drizzle-orm',
    migrator: () => drizzle({ directory: './migrations' }),
    write: async (root, n, sql) => {
      const tag = `${String(n).padStart(4, '0')}_step`;
      await put(root, `${tag}.sql`, `${sql};\n`);
      const journal = path.join(root, 'migrations/meta/_journal.json');
      const { entries } = JSON.parse(await readFile(journal, 'utf8').catch(() => '{"entries":[]}')) as {
        entries: { idx: number; when: number }[];
      };
      const entry = { idx: n, version: '7', when: Number(stamp(n)), tag, breakpoints: true };
      const all = [...entries.filter(({ idx }) => idx !== n), entry].sort((a, b) => a.when - b.when);
      await put(root, 'meta/_journal.json', JSON.stringify({ version: '7', dialect: 'postgresql', entries: all }));
      return tag;
    },
    table: '__drizzle_migrations',
    databaseSchema: 'drizzle',
    slippedIn: 'passes over',
    speaksMysql: true,
  },
  {
    name: 'kysely',
    library: 'kysely',
    migrator: () => kysely({ directory: './migrations' }),
    write: async (root, n, sql) => {
      const name = `${stamp(n)}_step`;
      await put(
        root,
        `${name}.ts`,
        `import { type Kysely, sql } from 'kysely';
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(${JSON.stringify(sql)}).execute(db);
}
`,
      );
      return name;
    },
    throwing: async (root, n) => {
      await put(root, `${stamp(n)}_step.mjs`, `export const up = () => Promise.reject('no room');\n`);
      return `${stamp(n)}_step`;
    },
    table: 'kysely_migration',
    databaseSchema: 'public',
    slippedIn: 'refuses',
    speaksMysql: true,
  },
  {
    name: 'typeorm',
    library: 'typeorm',
    migrator: () => typeorm({ dataSource: './data-source.ts' }),
    write: async (root, n, sql) => {
      await writeFile(
        path.join(root, 'data-source.ts'),
        `import { DataSource } from 'typeorm';
export default new DataSource({ type: 'postgres', url: process.env.NOWHERE, schema: 'public', synchronize: true, migrations: ['migrations/*.ts'] });
`,
      );
      const name = `Step${stamp(n)}`;
      await put(
        root,
        `${stamp(n)}-step.ts`,
        `import type { MigrationInterface, QueryRunner } from 'typeorm';
export class ${name} implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(${JSON.stringify(sql)});
  }
  async down(): Promise<void> {}
}
`,
      );
      return name;
    },
    table: 'migrations',
    databaseSchema: 'public',
    slippedIn: 'runs',
    speaksMysql: true,
  },
  {
    name: 'sequelize',
    library: 'sequelize',
    migrator: () => sequelize({ directory: './migrations' }),
    write: async (root, n, sql) => {
      const name = `${stamp(n)}-step.cjs`;
      // sequelize-cli's form and umzug's, in turns.
      const text =
        n % 2 === 0
          ? `up: (queryInterface, Sequelize) => queryInterface.sequelize.query(${JSON.stringify(sql)}, { type: Sequelize.QueryTypes.RAW })`
          : `up: ({ context }) => context.sequelize.query(${JSON.stringify(sql)})`;
      await put(root, name, `module.exports = { ${text} };\n`);
      return name;
    },
    throwing: async (root, n) => {
      const file = `${stamp(n)}-step.mjs`;
      await put(root, file, `export const up = () => Promise.reject('no room');\n`);
      return file;
    },
    table: 'SequelizeMeta',
    databaseSchema: 'public',
    slippedIn: 'runs',
    speaksMysql: true,
  },
  {
    name: 'node-pg-migrate',
    library: 'node-pg-migrate',
    migrator: () => nodePgMigrate({ directory: './migrations' }),
    write: async (root, n, sql) => {
      const name = `${stamp(n)}_step`;
      await put(root, `${name}.ts`, `export const up = (pgm: { sql(text: string): void }): void => pgm.sql(${JSON.stringify(sql)});\n`);
      return name;
    },
    table: 'pgmigrations',
    databaseSchema: 'public',
    slippedIn: 'refuses',
    speaksMysql: false,
  },
];
