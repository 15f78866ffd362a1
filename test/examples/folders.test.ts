import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CliResult, cleanEnvironment, ensureBuilt, runCli } from '../rig/cli.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { copyExample, type ExampleCopy } from './copy-example.js';

beforeAll(ensureBuilt);

describe.each([
  ['drizzle-folder', ['0000_sad_hulk', '0001_brave_ant'], '0', ['users']],
  ['golang-migrate-folder', ['000001_accounts', '000002_invoices'], '1', ['accounts']],
  ['flyway-folder', ['V1__accounts', 'V2__account_plans', 'V10__invoices'], '2', ['accounts']],
] as const)('%s', (name, versions, back, tablesThen) => {
  let database: TestDatabase;
  let example: ExampleCopy;

  beforeAll(async () => {
    database = await createTestDatabase();
    example = copyExample(name);
  });
  afterAll(async () => {
    example?.remove();
    await database?.drop();
  });

  const tenancy = (...args: string[]): Promise<CliResult> =>
    runCli(args, { cwd: example.directory, env: { ...cleanEnvironment(), DATABASE_URL: database.url } });
  const historyOf = async (schema: string): Promise<string[]> =>
    (await database.query<{ name: string }>(`SELECT name FROM ${schema}._tenancy_migrations ORDER BY position`)).map((row) => row.name);
  const tablesOf = async (schema: string): Promise<string[]> =>
    (
      await database.query<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables WHERE schemaname = '${schema}' AND tablename !~ '^_' ORDER BY 1`,
      )
    ).map((row) => row.name);

  test('is run in each tenant, in its own order, and nothing of it in public', async () => {
    const { exitCode, stderr } = await tenancy('tenant', 'provision', 'acme', 'globex');
    expect(exitCode, stderr).toBe(0);
    for (const schema of ['tenant_acme', 'tenant_globex']) {
      expect(await historyOf(schema)).toEqual(versions);
      expect(await tablesOf(schema)).toEqual([...tablesThen, 'invoices'].sort());
    }
    const inPublic = `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace`;
    expect(await database.query(inPublic)).toEqual([]);
    expect((await tenancy('tenant', 'migrate', '--all')).exitCode).toBe(0);
  });

  test('is taken back by its own version, where it has a way back', async () => {
    const { exitCode, stderr } = await tenancy('tenant', 'rollback', 'acme', '--to', back);
    if (name === 'drizzle-folder') {
      expect([exitCode, stderr]).toEqual([4, expect.stringContaining('0001_brave_ant (it has no down file)')]);
      return;
    }
    expect(exitCode, stderr).toBe(0);
    expect(await tablesOf('tenant_acme')).toEqual(tablesThen);
    expect((await tenancy('tenant', 'migrate', '--all')).exitCode).toBe(0);
    expect(await historyOf('tenant_acme')).toEqual(versions);
  });
});

test('what drizzle-kit writes about public is refused with the option to say, naming file and line', async () => {
  const database = await createTestDatabase();
  const example = copyExample('drizzle-folder');
  try {
    const config = path.join(example.directory, 'tenancy.config.ts');
    writeFileSync(config, readFileSync(config, 'utf8').replace(", schemas: { public: 'tenant' }", ''));
    const { exitCode, stderr } = await runCli(['tenant', 'provision', 'acme'], {
      cwd: example.directory,
      env: { ...cleanEnvironment(), DATABASE_URL: database.url },
    });
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/0000_sad_hulk\.sql, line 1: the schema public reaches beyond what is the tenant's own/);
    expect(stderr).toContain("schemas: { public: 'tenant' }");
  } finally {
    example.remove();
    await database.drop();
  }
});
