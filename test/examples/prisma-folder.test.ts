import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliResult, cleanEnvironment, ensureBuilt, runCli } from '../rig/cli.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { copyExample, type ExampleCopy } from './copy-example.js';

let database: TestDatabase;
let example: ExampleCopy;

beforeAll(async () => {
  await ensureBuilt();
  database = await createTestDatabase();
  example = copyExample('prisma-folder');
});

afterAll(async () => {
  example?.remove();
  await database?.drop();
});

function sha256OfFile(name: string): string {
  const file = path.join(example.directory, 'prisma/migrations', name, 'migration.sql');
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function tenancy(...args: string[]): Promise<CliResult> {
  return runCli(args, { cwd: example.directory, env: { ...cleanEnvironment(), DATABASE_URL: database.url } });
}

test("Prisma's folders run in each tenant, in their order, and nothing of them in public", async () => {
  const { exitCode, stderr } = await tenancy('tenant', 'provision', 'acme', 'globex');
  expect(exitCode, stderr).toBe(0);
  for (const schema of ['tenant_acme', 'tenant_globex']) {
    expect(await database.query(`SELECT name FROM ${schema}._tenancy_migrations ORDER BY 1`)).toEqual([
      { name: '20240115093000_init' },
      { name: '20240220110500_invoices' },
    ]);
    expect(
      await database.query(
        `SELECT migration_name AS name, checksum, applied_steps_count AS steps FROM ${schema}._prisma_migrations ORDER BY 1`,
      ),
    ).toEqual(['20240115093000_init', '20240220110500_invoices'].map((name) => ({ name, checksum: sha256OfFile(name), steps: 1 })));
    expect(await database.query(`SELECT enum_range(NULL::${schema}."Role")::text AS roles`)).toEqual([{ roles: '{OWNER,MEMBER,BILLING}' }]);
    expect(await database.query(`SELECT count(*)::int AS n FROM ${schema}."Invoice"`)).toEqual([{ n: 0 }]);
  }
  expect(await database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
});

test('the beginning of a name is enough for --to', async () => {
  expect((await tenancy('tenant', 'migrate', 'acme', '--to', '20240220110500')).exitCode).toBe(0);
});
