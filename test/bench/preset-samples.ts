import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A migrator that runs in process, with a project of a few lines, as both the library and the program of the tool read it. */
export interface PresetSample {
  readonly name: string;
  readonly packages: readonly string[];
  /** Expressions, with `presets` being `tenancy-cli/hooks`. */
  readonly migrator: string;
  /** Null where its program isn't among our packages. */
  readonly command: string | null;
  readonly files: Readonly<Record<string, string>>;
  /** Writes migration number `n`, a statement long. */
  write(directory: string, n: number, sql: string): Promise<void>;
}

const stampOf = (n: number): number => 1_700_000_000_000 + n * 1_000;

async function put(directory: string, file: string, text: string): Promise<void> {
  const target = path.join(directory, 'migrations', file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
}

export const presetSamples: readonly PresetSample[] = [
  {
    name: 'knex',
    packages: ['knex', 'pg'],
    migrator: "presets.knex({ directory: './migrations' })",
    command: "presets.knex.command({ knexfile: './knexfile.cjs', directory: './migrations' })",
    files: {
      'knexfile.cjs': `const { DATABASE_URL: connection, TENANCY_SCHEMA: schemaName } = process.env;
module.exports = { client: 'pg', connection, migrations: { directory: './migrations', schemaName, loadExtensions: ['.cjs'] } };
`,
    },
    write: (directory, n, sql) =>
      put(
        directory,
        `${stampOf(n)}_step.cjs`,
        `exports.up = (knex) => knex.raw(${JSON.stringify(sql)});\nexports.down = async () => {};\n`,
      ),
  },
  {
    name: 'drizzle',
    packages: ['drizzle-orm', 'drizzle-kit', 'pg'],
    migrator: "presets.drizzle({ directory: './migrations' })",
    command: "presets.drizzle.command({ directory: './migrations', config: 'drizzle.config.cjs' })",
    files: {
      'drizzle.config.cjs': `const { DATABASE_URL: url, TENANCY_SCHEMA: schema } = process.env;
module.exports = { dialect: 'postgresql', out: './migrations', dbCredentials: { url }, migrations: { schema } };
`,
    },
    write: async (directory, n, sql) => {
      const tag = `${String(n).padStart(4, '0')}_step`;
      await put(directory, `${tag}.sql`, `${sql};\n`);
      const journal = await readFile(path.join(directory, 'migrations/meta/_journal.json'), 'utf8').catch(() => '{"entries":[]}');
      const { entries } = JSON.parse(journal) as { entries: object[] };
      entries.push({ idx: n, version: '7', when: stampOf(n), tag, breakpoints: true });
      await put(directory, 'meta/_journal.json', JSON.stringify({ version: '7', dialect: 'postgresql', entries }));
    },
  },
  {
    name: 'kysely',
    packages: ['kysely', 'pg'],
    migrator: "presets.kysely({ directory: './migrations' })",
    command: null,
    files: {},
    write: (directory, n, sql) =>
      put(
        directory,
        `${stampOf(n)}_step.mjs`,
        `import { sql } from 'kysely';\nexport const up = (db) => sql.raw(${JSON.stringify(sql)}).execute(db);\n`,
      ),
  },
  {
    name: 'typeorm',
    packages: ['typeorm', 'pg'],
    migrator: "presets.typeorm({ dataSource: './data-source.cjs' })",
    command: "presets.typeorm.command({ dataSource: './data-source.cjs' })",
    files: {
      'data-source.cjs': `const { DataSource } = require('typeorm');
const { DATABASE_URL: url, TENANCY_SCHEMA: schema } = process.env;
module.exports = new DataSource({ type: 'postgres', url, schema, migrations: ['migrations/*.cjs'] });
`,
    },
    write: (directory, n, sql) =>
      put(
        directory,
        `${stampOf(n)}-step.cjs`,
        `exports.Step${stampOf(n)} = class Step${stampOf(n)} { up(runner) { return runner.query(${JSON.stringify(sql)}); } async down() {} };\n`,
      ),
  },
  {
    name: 'sequelize',
    packages: ['sequelize', 'sequelize-cli', 'pg'],
    migrator: "presets.sequelize({ directory: './migrations' })",
    command: "presets.sequelize.command({ config: './config.cjs' })",
    files: {
      'config.cjs': `const { DATABASE_URL = 'postgres://x/y', TENANCY_SCHEMA: migrationStorageTableSchema } = process.env;
const dialectOptions = { options: new URL(DATABASE_URL).searchParams.get('options') };
module.exports = { use_env_variable: 'DATABASE_URL', dialect: 'postgres', dialectOptions, migrationStorageTableSchema };
`,
    },
    write: (directory, n, sql) =>
      put(directory, `${stampOf(n)}-step.cjs`, `exports.up = ({ sequelize }) => sequelize.query(${JSON.stringify(sql)});\n`),
  },
  {
    name: 'nodePgMigrate',
    packages: ['node-pg-migrate', 'pg'],
    migrator: "presets.nodePgMigrate({ directory: './migrations' })",
    command: "presets.nodePgMigrate.command({ directory: './migrations' })",
    files: {},
    write: (directory, n, sql) => put(directory, `${stampOf(n)}_step.sql`, `${sql};\n`),
  },
];
