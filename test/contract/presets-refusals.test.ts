import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drizzle, knex, migrateMongo, typeorm } from '../../hooks/index.js';
import type { Migrator } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import { repositoryRoot } from '../rig/cli.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { startPooler } from './pooler.js';
import { presetCases } from './preset-cases.js';

const migrators: readonly (readonly [string, string, () => Migrator])[] = [
  ...presetCases.map(({ name, library, migrator }) => [name, library, migrator] as const),
  ['migrate-mongo', 'migrate-mongo', () => migrateMongo()],
];

describe('a preset', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let root: string;
  const opened: Tenancy[] = [];

  beforeEach(async () => {
    [database, root] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'presets-'))]);
    await writeFile(path.join(root, 'package.json'), '{ "type": "module" }\n');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
  });

  async function open(migrate: Migrator, url = database.url): Promise<Tenancy> {
    const tenancy = await createTenancy(
      {
        registry: { url: database.url },
        clusters: { main: { url } },
        placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
        hooks: { migrate },
        defaults: { retries: 0 },
      },
      { root },
    );
    opened.push(tenancy);
    return tenancy;
  }

  const linkPackages = (): Promise<void> => symlink(path.join(repositoryRoot, 'node_modules'), path.join(root, 'node_modules'), 'dir');
  const schemas = async (): Promise<unknown> => database.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant%'");

  it.each(migrators)('%s says what to install, before any tenant is touched', async (_name, library, migrator) => {
    const tenancy = await open(migrator());
    await expect(tenancy.provision(['acme'])).rejects.toMatchObject({
      code: 'TENANCY_PACKAGE_MISSING',
      exitCode: 2,
      hint: expect.stringContaining(`npm i -D ${library}`),
    });
    expect(await schemas()).toEqual([]);
  });

  it.each(migrators)('%s refuses a version that it was not made for', async (_name, library, migrator) => {
    const folder = path.join(root, 'node_modules', library);
    await mkdir(folder, { recursive: true });
    const entries = ['.', './migrator', './node-postgres'].map((entry) => [entry, './index.js']);
    const manifest = { name: library, version: '99.1.0', main: './index.js', exports: Object.fromEntries(entries) };
    await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest));
    await writeFile(path.join(folder, 'index.js'), 'throw new Error("it was loaded")\n');
    await expect((await open(migrator())).provision(['acme'])).rejects.toMatchObject({
      code: 'TENANCY_PACKAGE_UNSUPPORTED',
      exitCode: 2,
      message: expect.stringContaining('99.1.0 is installed'),
    });
  });

  it.each(migrators)('%s names the folder that is not there', async (name, _library, migrator) => {
    await linkPackages();
    const missing =
      name === 'typeorm' ? 'data-source.ts' : path.join(root, name === 'drizzle' ? 'migrations/meta/_journal.json' : 'migrations');
    await expect((await open(migrator())).provision(['acme'])).rejects.toThrow(missing);
    expect(await schemas()).toEqual([]);
  });

  it('says which file a journal of Drizzle names that is not there', async () => {
    await linkPackages();
    await mkdir(path.join(root, 'drizzle/meta'), { recursive: true });
    await writeFile(path.join(root, 'drizzle/meta/_journal.json'), '{"entries":[{"idx":0,"when":1,"tag":"0000_gone","breakpoints":true}]}');
    await expect((await open(drizzle())).provision(['acme'])).rejects.toMatchObject({
      code: 'TENANCY_PRESET_REJECTED',
      message: expect.stringContaining('0000_gone.sql'),
    });
  });

  it("refuses what drizzle-kit writes as public, where nobody said that it is the tenant's", async () => {
    await linkPackages();
    const [, write] = [presetCases[1], presetCases[1]?.write];
    await write?.(root, 1, 'CREATE TYPE "public"."role" AS ENUM (\'owner\')');
    const { failed } = await (await open(drizzle({ directory: './migrations' }))).provision(['acme']);
    expect(failed[0]?.error).toMatchObject({
      code: 'TENANCY_MIGRATOR_REFUSED',
      message: expect.stringContaining('0001_step names "public".'),
    });
    expect(await database.query("SELECT 1 FROM pg_type WHERE typname = 'role'")).toEqual([]);

    const report = await (await open(drizzle({ directory: './migrations', schemas: { public: 'tenant' } }))).provision(['acme']);
    expect(report).toMatchObject({ exitCode: 0 });
    expect(await database.query("SELECT typnamespace::regnamespace::text AS schema FROM pg_type WHERE typname = 'role'")).toEqual([
      { schema: 'tenant_acme' },
    ]);
  });

  it('of Knex frees the lock that a killed run has left, and says so in the log of the tenant', async () => {
    await linkPackages();
    const [preset] = presetCases;
    await preset?.write(root, 1, 'CREATE TABLE accounts (id int)');
    await (await open(knex())).provision(['acme']);
    await database.query('UPDATE tenant_acme.knex_migrations_lock SET is_locked = 1');
    await preset?.write(root, 2, 'CREATE TABLE invoices (id int)');
    const report = await (await open(knex())).migrate({ all: true });
    expect(report).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect(await database.query('SELECT is_locked FROM tenant_acme.knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    const log = await readFile(path.join(root, '.tenancy/logs', report.runId, 'acme.log'), 'utf8');
    expect(log).toContain('knex_migrations_lock says that it is locked');
  });

  it('of Knex takes the knexfile, but not where it connects to', async () => {
    await linkPackages();
    await presetCases[0]?.write(root, 1, 'CREATE TABLE accounts (id int)');
    await mkdir(path.join(root, 'db'));
    await writeFile(
      path.join(root, 'db/knexfile.ts'),
      `import type { Knex } from 'knex';
const config: Record<string, Knex.Config> = {
  production: {
    client: 'sqlite3',
    connection: { filename: './nowhere' },
    searchPath: ['public'],
    migrations: { directory: '../migrations', tableName: 'history', schemaName: 'public' },
  },
};
export default config;
`,
    );
    const report = await (await open(knex({ knexfile: './db/knexfile.ts', environment: 'production' }))).provision(['acme']);
    expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0 });
    expect(await database.query('SELECT name FROM tenant_acme.history')).toHaveLength(1);
    expect(await database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  });

  describe.each([
    ['knex', 'knexfile.ts', () => knex({ knexfile: './knexfile.ts' })],
    ['typeorm', 'data-source.ts', () => typeorm({ dataSource: './data-source.ts' })],
  ] as const)('of %s', (name, file, migrator) => {
    it.each([
      ['throws', "const host = 'none';\nthrow new Error(`no ${host}`);\n", ':2: it threw: no none', 'mend it'],
      [
        'imports what is not there',
        "import 'no-such-package';\n",
        '"no-such-package", which it imports, was not found',
        'npm i no-such-package',
      ],
      ['is no TypeScript', 'export default {\n  a: ;\n};\n', ':2:6: syntax error: Unexpected token', 'mend it'],
    ])(`names ${file} where it %s, before any tenant is touched`, async (_what, text, sentence, advice) => {
      await linkPackages();
      await writeFile(path.join(root, file), text);
      const tenancy = await open(migrator());
      const error: unknown = await tenancy.provision(['acme']).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'TENANCY_PRESET_FILE_REJECTED', exitCode: 2, hint: expect.stringContaining(advice) });
      const { message } = error as Error;
      expect(message).toContain(`${name}(): ${path.join(root, file)}`);
      expect(message).toContain(sentence);
      expect(message).not.toContain('\n');
      expect(await schemas()).toEqual([]);
    });
  });

  it.each([
    [
      'a function that throws',
      "export default () => {\n  throw new Error('no secret');\n};\n",
      ':2: the function that it exports failed: no secret',
    ],
    ['a function that rejects', "export default () => Promise.reject('later');\n", ': the function that it exports failed: later'],
    ['a function without an answer', 'export default async () => undefined;\n', ': the function that it exports returns no object'],
    ['nothing', 'export default undefined;\n', ': it exports no object'],
    ['no such environment', 'export default { staging: {}, client: "pg" };\n', ' has no "production", but staging'],
  ])('of Knex says so where the knexfile exports %s', async (_what, text, sentence) => {
    await linkPackages();
    await writeFile(path.join(root, 'knexfile.ts'), text);
    const environment = text.includes('staging') ? { environment: 'production' } : {};
    await expect((await open(knex({ knexfile: './knexfile.ts', ...environment }))).provision(['acme'])).rejects.toMatchObject({
      code: expect.stringMatching(/^TENANCY_PRESET_(FILE_)?REJECTED$/),
      exitCode: 2,
      message: expect.stringContaining(`${path.join(root, 'knexfile.ts')}${sentence}`),
    });
  });

  it.each([
    ['ts', 'export default async () => ('],
    ['cjs', 'module.exports = () => ('],
  ])('of Knex takes a knexfile.%s that exports a function', async (ending, before) => {
    await linkPackages();
    await presetCases[0]?.write(root, 1, 'CREATE TABLE accounts (id int)');
    await writeFile(path.join(root, `knexfile.${ending}`), `${before}{ migrations: { tableName: 'history' } });\n`);
    const report = await (await open(knex({ knexfile: `./knexfile.${ending}` }))).provision(['acme']);
    expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0 });
    expect(await database.query('SELECT name FROM tenant_acme.history')).toHaveLength(1);
  });

  it('of Knex shows what the server says about a statement, and keeps the statement and its values out of it', async () => {
    await linkPackages();
    await mkdir(path.join(root, 'migrations'));
    const insert = "(knex) => knex('accounts').insert({ name: 'a - b', email: 'someone@example.com' })";
    await writeFile(path.join(root, 'migrations/1_step.mjs'), `export const up = ${insert};\nexport const down = () => undefined;\n`);
    const { failed, runId } = await (await open(knex())).provision(['acme']);
    expect(failed[0]?.error?.message).toMatch(/: 1_step\.mjs: relation "accounts" does not exist$/);
    const log = await readFile(path.join(root, '.tenancy/logs', runId, 'acme.log'), 'utf8');
    expect(log).toContain('failed: insert into "accounts" ("email", "name") values ($1, $2)');
    expect(log).not.toContain('someone@example.com');
  });

  it.each(['knex', 'kysely', 'sequelize'])('of %s names the migration that imports what is not there', async (name) => {
    await linkPackages();
    const preset = presetCases.find((candidate) => candidate.name === name);
    const file = (await preset?.write(root, 1, 'CREATE TABLE accounts (id int)')) ?? '';
    const [written = ''] = await readdir(path.join(root, 'migrations'));
    await writeFile(path.join(root, 'migrations', written), "import 'no-such-package';\nexport const up = () => undefined;\n");
    const { failed } = await (await open((preset ?? presetCases[0])?.migrator() as Migrator)).provision(['acme']);
    expect([file, failed[0]?.error]).toMatchObject([
      expect.anything(),
      {
        code: 'TENANCY_PRESET_FILE_REJECTED',
        message: expect.stringContaining(`${written} can't be loaded: "no-such-package"`),
        hint: 'npm i no-such-package',
      },
    ]);
  });

  describe.each(presetCases.map((preset) => [preset.name, preset] as const))('of %s, behind a pooler', (_name, preset) => {
    it.each(['drops', 'refuses'] as const)('that %s the search path touches nothing', async (behaviour) => {
      await linkPackages();
      await preset.write(root, 1, 'CREATE TABLE accounts (id int)');
      const pooler = await startPooler(database.url, behaviour);
      try {
        const { failed } = await (await open(preset.migrator(), pooler.url)).provision(['acme']);
        expect(failed[0]?.error).toMatchObject({ code: 'TENANCY_MIGRATOR_REFUSED', message: expect.stringContaining('pooler') });
        expect(await database.query("SELECT tablename FROM pg_tables WHERE schemaname IN ('public', 'tenant_acme')")).toEqual([]);
      } finally {
        await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
        await pooler.close();
      }
    });
  });
});
