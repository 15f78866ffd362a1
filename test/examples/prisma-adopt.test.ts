import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliResult, cleanEnvironment, ensureBuilt, repositoryRoot, runCli } from '../rig/cli.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { copyExample, type ExampleCopy } from './copy-example.js';

let database: TestDatabase;
let example: ExampleCopy;

/** Tenants that Prisma's own program has migrated, as far as its stand-in goes; then the built-in migrator is to take over, on the same folders. */
beforeAll(async () => {
  await ensureBuilt();
  database = await createTestDatabase();
  example = copyExample('prisma-cli');
  for (const tenant of ['acme', 'behind', 'edited', 'failed']) {
    await database.query(`CREATE SCHEMA cust_${tenant}`);
    await execa(process.execPath, [path.join(repositoryRoot, 'test/rig/tools/prisma.mjs'), 'migrate', 'deploy'], {
      cwd: example.directory,
      env: { DATABASE_URL: `${database.url}?schema=cust_${tenant}` },
    });
  }
  await database.query(`CREATE SCHEMA cust_never`);
  await database.query(`DELETE FROM cust_behind._prisma_migrations WHERE migration_name LIKE '%invoices'; DROP TABLE cust_behind."Invoice";
    ALTER TYPE cust_behind."Role" RENAME TO "OldRole"; CREATE TYPE cust_behind."Role" AS ENUM ('OWNER', 'MEMBER');
    UPDATE cust_edited._prisma_migrations SET checksum = repeat('0', 64) WHERE migration_name LIKE '%init';
    UPDATE cust_failed._prisma_migrations SET finished_at = NULL WHERE migration_name LIKE '%invoices'`);
});
afterAll(async () => {
  example?.remove();
  await database?.drop();
});

const config = (url: string): string => `export default {
  clusters: { main: { url: ${JSON.stringify(url)} } },
  placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'cust_' + id }),
  migrations: { directory: './prisma/migrations' },
};`;

function tenancy(...args: string[]): Promise<CliResult> {
  writeFileSync(path.join(example.directory, 'built-in.config.mjs'), config(database.url));
  return runCli([...args, '--config', 'built-in.config.mjs'], { cwd: example.directory, env: cleanEnvironment() });
}

test('adopting takes over what Prisma has recorded, and refuses what it has as failed or of another text', async () => {
  const folders = readdirSync(path.join(example.directory, 'prisma/migrations')).filter((name) => /^\d/.test(name));
  expect((await tenancy('registry', 'init')).exitCode).toBe(0);
  const run = await tenancy('registry', 'adopt', '--pattern', 'cust_{id}', '--confirm', '5', '--json');
  const finished = JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
  expect([run.exitCode, finished.counts.applied], run.stderr).toEqual([1, 3]);
  const failures = Object.fromEntries(
    finished.failed.map(({ tenant, error }: { tenant: string; error: { message: string } }) => [tenant, error.message]),
  );
  expect(failures).toEqual({
    edited: `edited after it was applied: ${folders[0]}`,
    failed: `failed: _prisma_migrations has ${folders[1]} as failed half way`,
  });
  expect(await database.query("SELECT id, schema_version FROM tenancy.tenants WHERE status = 'active' ORDER BY id")).toEqual([
    { id: 'acme', schema_version: folders[1] },
    { id: 'behind', schema_version: folders[0] },
    { id: 'never', schema_version: null },
  ]);
  // Nothing half recorded where it was refused.
  expect(
    await database.query(
      `SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = '_tenancy_migrations' ORDER BY 1`,
    ),
  ).toEqual([{ nspname: 'cust_acme' }, { nspname: 'cust_behind' }]);
});

test('migrates on from there, and Prisma finds nothing left to do', async () => {
  const { exitCode, stderr } = await tenancy('tenant', 'migrate', '--all');
  expect(exitCode, stderr).toBe(0);
  for (const schema of ['cust_acme', 'cust_behind', 'cust_never']) {
    const { stdout } = await execa(process.execPath, [path.join(repositoryRoot, 'test/rig/tools/prisma.mjs'), 'migrate', 'deploy'], {
      cwd: example.directory,
      env: { DATABASE_URL: `${database.url}?schema=${schema}` },
    });
    expect([schema, stdout]).toEqual([schema, '']);
    expect(await database.query(`SELECT count(*)::int AS n FROM ${schema}._prisma_migrations`)).toEqual([{ n: 2 }]);
  }
});
