import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliResult, cleanEnvironment, ensureBuilt, repositoryRoot, runCli } from '../rig/cli.js';
import { canaryPassword, createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { copyExample, type ExampleCopy } from './copy-example.js';

beforeAll(ensureBuilt);

interface Call {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Project {
  readonly database: TestDatabase;
  readonly example: ExampleCopy;
  tenancy(...args: string[]): Promise<CliResult>;
  /** Since it was last asked, by tenant. */
  calls(): Map<string, Call>;
}

/** An example whose tool is a stand-in: a real program that writes down how it was called, and what the real one writes into the database. */
function useExample(name: string, tool: string): Project {
  let database: TestDatabase;
  let example: ExampleCopy;
  beforeAll(async () => {
    database = await createTestDatabase();
    example = copyExample(name);
    const bin = path.join(example.directory, 'node_modules/.bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(path.join(bin, tool), `#!/bin/sh\nexec '${process.execPath}' '${repositoryRoot}/test/rig/tools/${tool}.mjs' "$@"\n`);
    chmodSync(path.join(bin, tool), 0o755);
  });
  afterAll(async () => {
    example?.remove();
    await database?.drop();
  });
  return {
    get database() {
      return database;
    },
    get example() {
      return example;
    },
    tenancy: (...args) => runCli(args, { cwd: example.directory, env: { ...cleanEnvironment(), DATABASE_URL: database.url } }),
    calls: () => {
      const file = path.join(example.directory, 'calls.ndjson');
      if (!existsSync(file)) return new Map();
      const calls = readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Call);
      rmSync(file);
      return new Map(calls.map((call) => [call.env['TENANCY_TENANT'] ?? '', call]));
    },
  };
}

async function versionsOf({ tenancy }: Project): Promise<Record<string, string>> {
  const { stdout } = await tenancy('tenant', 'list', '--json');
  const { tenants } = JSON.parse(stdout) as { tenants: readonly { id: string; schemaVersion: string }[] };
  return Object.fromEntries(tenants.map(({ id, schemaVersion }) => [id, schemaVersion]));
}

const tablesOf = async ({ database }: Project, schema: string): Promise<string[]> =>
  (await database.query<{ name: string }>(`SELECT tablename AS name FROM pg_tables WHERE schemaname = '${schema}' ORDER BY 1`)).map(
    ({ name }) => name,
  );

/** Provisions two tenants, has nothing left to do, and gives the second call's project back. */
async function provisionTwo(project: Project): Promise<Map<string, Call>> {
  const { exitCode, stderr } = await project.tenancy('tenant', 'provision', 'acme', 'globex');
  expect(exitCode, stderr).toBe(0);
  const calls = project.calls();
  expect([...calls.keys()].sort()).toEqual(['acme', 'globex']);
  for (const { args } of calls.values()) expect(args.join(' ')).not.toContain(canaryPassword);
  const again = await project.tenancy('tenant', 'migrate', '--all', '--force-verify');
  expect([again.exitCode, project.calls().size], again.stderr).toEqual([0, 0]);
  expect(await project.database.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")).toEqual([]);
  return calls;
}

describe('prisma()', () => {
  const project = useExample('prisma-cli', 'prisma');

  test('deploys into the schema of each tenant, by a URL in the environment, without the lock of the whole database', async () => {
    const calls = await provisionTwo(project);
    const { args, env } = calls.get('acme') as Call;
    expect(args).toEqual(['migrate', 'deploy']);
    expect(env).toMatchObject({
      DATABASE_URL: `${project.database.url.replace(/^postgres:/, 'postgresql:')}?schema=tenant_acme`,
      PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK: '1',
    });
    expect(await tablesOf(project, 'tenant_globex')).toEqual(['Invoice', 'User', '_prisma_migrations']);
    expect(await versionsOf(project)).toEqual({ acme: '20240220110500_invoices', globex: '20240220110500_invoices' });
  });

  test('runs again only for the tenant that lacks one', async () => {
    await project.database.query(`DROP TABLE tenant_acme."Invoice"; ALTER TYPE tenant_acme."Role" RENAME TO old; CREATE TYPE tenant_acme."Role" AS ENUM ('OWNER');
      DELETE FROM tenant_acme._prisma_migrations WHERE migration_name LIKE '%invoices'`);
    const { exitCode, stderr } = await project.tenancy('tenant', 'migrate', '--all', '--force-verify');
    expect([exitCode, [...project.calls().keys()]], stderr).toEqual([0, ['acme']]);
  });
});

describe('in a database of its own', () => {
  const useDatabases = (project: Project): void => {
    const config = path.join(project.example.directory, 'tenancy.config.ts');
    const text = readFileSync(config, 'utf8').replace(
      "driver: 'postgres-schema', name: 'tenant_{id}'",
      `driver: 'postgres-database', name: '${project.database.name}_{id}'`,
    );
    writeFileSync(config, text);
  };

  describe('a tenant of prisma()', () => {
    const project = useExample('prisma-cli', 'prisma');

    test('is its database, without a schema in the URL', async () => {
      useDatabases(project);
      const { env } = (await provisionTwo(project)).get('acme') as Call;
      const name = `${project.database.name}_acme`;
      expect(env['DATABASE_URL']).toBe(project.database.url.replace(/^postgres:/, 'postgresql:').replace(project.database.name, name));
      expect(await query(withDatabase(project.database.url, name), 'SELECT count(*)::int AS n FROM public._prisma_migrations')).toEqual([
        { n: 2 },
      ]);
    });
  });

  describe('a tenant of atlas()', () => {
    const project = useExample('atlas', 'atlas');

    test('is its database, with the revisions in public, where they are looked for', async () => {
      useDatabases(project);
      const { args } = (await provisionTwo(project)).get('globex') as Call;
      expect(args[3]).toMatch(new RegExp(`/${project.database.name}_globex\\?sslmode=disable$`));
      expect(args.join(' ')).toContain('--revisions-schema public');
    });
  });
});

describe('flyway()', () => {
  const project = useExample('flyway', 'flyway');

  test('is told everything by its own variables', async () => {
    const calls = await provisionTwo(project);
    const { args, env } = calls.get('globex') as Call;
    const url = new URL(project.database.url);
    expect(args).toEqual(['migrate', '-outputType=json']);
    expect(env).toMatchObject({
      FLYWAY_URL: `jdbc:postgresql://${url.host}${url.pathname}?currentSchema=${encodeURIComponent('"tenant_globex",extensions')}`,
      FLYWAY_USER: url.username,
      FLYWAY_PASSWORD: canaryPassword,
      FLYWAY_DEFAULT_SCHEMA: 'tenant_globex',
      FLYWAY_LOCATIONS: `filesystem:${path.join(project.example.directory, 'sql')}`,
      FLYWAY_TABLE: 'flyway_schema_history',
      FLYWAY_CREATE_SCHEMAS: 'false',
      FLYWAY_PLACEHOLDERS_TENANT: 'globex',
    });
    expect(await project.database.query('SELECT name FROM tenant_globex.accounts')).toEqual([{ name: 'globex' }]);
    expect(await versionsOf(project)).toEqual({ acme: '2.1', globex: '2.1' });
  });

  test('runs for every tenant where there are repeatable migrations, since only Flyway knows which have changed', async () => {
    writeFileSync(path.join(project.example.directory, 'sql/R__names.sql'), 'CREATE OR REPLACE VIEW names AS SELECT name FROM accounts;\n');
    for (const round of ['first', 'second']) {
      const { exitCode, stderr } = await project.tenancy('tenant', 'migrate', '--all');
      expect([round, exitCode, project.calls().size], stderr).toEqual([round, 0, 2]);
    }
    expect(await project.database.query('SELECT name FROM tenant_acme.names')).toEqual([{ name: 'acme' }]);
  });

  test('a failure that Flyway has recorded is not taken for a version', async () => {
    rmSync(path.join(project.example.directory, 'sql/R__names.sql'));
    await project.database.query(`UPDATE tenant_acme.flyway_schema_history SET success = false WHERE version = '2.1'`);
    const run = await project.tenancy('tenant', 'migrate', 'acme', '--force-verify');
    expect([run.exitCode, run.stderr]).toEqual([1, expect.stringContaining('1 instead of 2.1')]);
  });
});

describe('golangMigrate()', () => {
  const project = useExample('golang-migrate', 'migrate');

  test('has a URL without its password on the command line, and the password in PGPASSWORD', async () => {
    const calls = await provisionTwo(project);
    const { args, env } = calls.get('acme') as Call;
    const url = new URL(project.database.url);
    const bare = `postgres://${url.username}@${url.host}${url.pathname}?sslmode=disable&search_path=${encodeURIComponent('"tenant_acme",extensions')}`;
    expect(args).toEqual(['-path', path.join(project.example.directory, 'migrations'), '-database', bare, 'up']);
    expect(env['PGPASSWORD']).toBe(canaryPassword);
    expect(await versionsOf(project)).toEqual({ acme: '000002_invoices', globex: '000002_invoices' });
  });

  test('fails with dirty and what to do, without starting it; the other tenant goes on', async () => {
    writeFileSync(path.join(project.example.directory, 'migrations/000003_notes.up.sql'), 'CREATE TABLE notes (id int);\n');
    await project.database.query('UPDATE tenant_acme.schema_migrations SET dirty = true');
    const run = await project.tenancy('tenant', 'migrate', '--all', '--json');
    const finished = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
    expect([run.exitCode, finished.counts.applied, [...project.calls().keys()]]).toEqual([1, 1, ['globex']]);
    expect(finished.failed[0].error).toMatchObject({
      code: 'TENANCY_MIGRATOR_REFUSED',
      message: 'acme: golang-migrate has marked version 2 as dirty: it failed half way, and how far it came is not recorded',
      hint: expect.stringContaining('force VERSION'),
    });
  });

  test('says what it said itself where it fails, and is dirty from then on', async () => {
    await project.database.query('UPDATE tenant_acme.schema_migrations SET dirty = false; CREATE TABLE tenant_acme.notes ()');
    const run = await project.tenancy('tenant', 'migrate', 'acme');
    expect([run.exitCode, run.stderr]).toEqual([1, expect.stringContaining('Error: relation "notes" already exists')]);
    expect((await project.tenancy('tenant', 'migrate', 'acme')).stderr).toContain('version 3 as dirty');
  });

  test('leaves a tenant alone that has more than there is: the code was rolled back', async () => {
    rmSync(path.join(project.example.directory, 'migrations/000003_notes.up.sql'));
    project.calls();
    const run = await project.tenancy('tenant', 'migrate', 'globex', '--force-verify');
    expect([run.exitCode, project.calls().size], run.stderr).toEqual([0, 0]);
  });
});

describe('atlas()', () => {
  const project = useExample('atlas', 'atlas');

  test('keeps its revisions in the tenant, its URL without the password', async () => {
    const calls = await provisionTwo(project);
    const { args, env } = calls.get('acme') as Call;
    const url = new URL(project.database.url);
    expect(args).toEqual([
      'migrate',
      'apply',
      '--url',
      `postgres://${url.username}@${url.host}${url.pathname}?sslmode=disable&search_path=tenant_acme`,
      '--dir',
      `file://${path.join(project.example.directory, 'migrations')}`,
      '--revisions-schema',
      'tenant_acme',
      '--format',
      '{{ json . }}',
    ]);
    expect(env['PGPASSWORD']).toBe(canaryPassword);
    expect(await tablesOf(project, 'tenant_acme')).toEqual(['accounts', 'atlas_schema_revisions', 'invoices']);
    expect(await versionsOf(project)).toEqual({ acme: '20240220110500', globex: '20240220110500' });
  });

  test('takes the whole URL from the environment where a project file reads it', async () => {
    const config = path.join(project.example.directory, 'tenancy.config.ts');
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace("'./migrations' }", "'./migrations', env: 'tenants', lockPerTenant: true }"),
    );
    const { exitCode, stderr } = await project.tenancy('tenant', 'provision', 'initech');
    expect(exitCode, stderr).toBe(0);
    const { args, env } = project.calls().get('initech') as Call;
    expect(args.slice(2, 6)).toEqual(['--config', `file://${path.join(project.example.directory, 'atlas.hcl')}`, '--env', 'tenants']);
    expect(args.join(' ')).toContain('--lock-name tenancy_tenant_initech');
    expect(env['DATABASE_URL']).toBe(`${project.database.url}?search_path=tenant_initech&sslmode=disable`);
  });

  test('refuses a schema whose name has to be quoted, which Atlas can not be told', async () => {
    const run = await project.tenancy('tenant', 'provision', 'org-1');
    expect([run.exitCode, run.stderr]).toEqual([1, expect.stringContaining(`atlas can't be pointed at the schema "tenant_org-1"`)]);
  });

  test('is looked for once, before any tenant is touched, and what to install is said', async () => {
    rmSync(path.join(project.example.directory, 'node_modules/.bin/atlas'));
    const before = await project.database.query('SELECT count(*) AS n FROM tenancy.runs');
    const run = await project.tenancy('tenant', 'migrate', '--all');
    expect([run.exitCode, run.stderr]).toEqual([
      2,
      expect.stringMatching(/there is no program atlas .*\n.*install it: `brew install ariga\/tap\/atlas`/),
    ]);
    expect(await project.database.query('SELECT count(*) AS n FROM tenancy.runs')).toEqual(before);
  });
});
