import { randomBytes } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliResult, cleanEnvironment, ensureBuilt, repositoryRoot, runCli } from '../rig/cli.js';
import { createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { copyExample, type ExampleCopy } from './copy-example.js';

export interface MigratorExample {
  /** Folder in `examples/`. */
  readonly name: string;
  /** What its reader installs beside tenancy-cli. */
  readonly packages: readonly string[];
  /** What the tool's table is called, and what a migration is called in it. */
  readonly table: string;
  readonly column?: string;
  /** Where that table is in a database of a tenant's own. @default 'public' */
  readonly databaseSchema?: string;
  /** As the tool's table has them. */
  readonly applied: readonly unknown[];
  /** Newest of the folder, as tenancy shows it. */
  readonly version: string;
  /** One more, that creates a table `notes`. */
  readonly next: { readonly version: string; readonly applied: unknown; write(directory: string): void };
}

export interface ExampleInUse {
  readonly database: TestDatabase;
  readonly directory: string;
  tenancy(...args: string[]): Promise<CliResult>;
}

/** Puts an example through a tenant's life: two tenants by schema, a third by database, with the tool's own table as the witness. */
export function useExample(example: MigratorExample): ExampleInUse {
  const { table, column = 'name' } = example;
  let database: TestDatabase;
  let copy: ExampleCopy;
  /** Its database isn't called after the test's, so that it isn't like any other test's. */
  const large = `initech-${randomBytes(4).toString('hex')}`;

  beforeAll(async () => {
    await ensureBuilt();
    database = await createTestDatabase();
    copy = copyExample(example.name);
    writeFileSync(path.join(copy.directory, 'package.json'), '{ "type": "module" }\n');
    for (const name of example.packages) {
      symlinkSync(path.join(repositoryRoot, 'node_modules', name), path.join(copy.directory, 'node_modules', name), 'dir');
    }
  });
  afterAll(async () => {
    copy?.remove();
    await database?.drop();
  });

  const tenancy = (...args: string[]): Promise<CliResult> =>
    runCli(args, { cwd: copy.directory, env: { ...cleanEnvironment(), DATABASE_URL: database.url } });

  async function applied(schema: string, url = database.url): Promise<unknown[]> {
    return (await query(url, `SELECT "${column}" AS name FROM "${schema}"."${table}" ORDER BY 1`)).map(({ name }) => name);
  }

  const everywhere = async (): Promise<unknown[][]> => [
    await applied('tenant_acme'),
    await applied('tenant_globex'),
    await applied(example.databaseSchema ?? 'public', withDatabase(database.url, `tenant_${large}`)),
  ];

  test('each tenant, by schema or by database, gets its migrations, and nothing is shared', async () => {
    const { exitCode, stderr } = await tenancy('tenant', 'provision', 'acme', 'globex');
    expect(exitCode, stderr).toBe(0);
    const third = await tenancy('tenant', 'provision', large, '--label', 'plan=large');
    expect(third.exitCode, third.stderr).toBe(0);
    expect(await everywhere()).toEqual([example.applied, example.applied, example.applied]);
    expect((await tenancy('tenant', 'list')).stdout.match(new RegExp(example.version, 'g'))).toHaveLength(3);
    for (const schema of ['tenant_acme', 'tenant_globex']) {
      expect(await database.query(`SELECT count(*)::int AS n FROM ${schema}.accounts, ${schema}.invoices`)).toEqual([{ n: 0 }]);
    }
    const elsewhere =
      "SELECT schemaname AS s FROM pg_tables WHERE schemaname !~ '^(pg_catalog|information_schema|tenancy|tenant_acme|tenant_globex)$'";
    expect(await database.query(elsewhere)).toEqual([]);
  });

  test('a new migration reaches all of them, and one that fails is named with its tenant', async () => {
    await database.query('CREATE TABLE tenant_globex.notes (id int)');
    example.next.write(copy.directory);
    const { exitCode, stdout, stderr } = await tenancy('tenant', 'migrate', '--all');
    expect(exitCode, stderr).toBe(1);
    expect(stdout + stderr).toContain('globex');
    expect(stdout + stderr).toContain(example.next.version);
    expect(stdout + stderr).toContain('relation "notes" already exists');
    const all = [...example.applied, example.next.applied];
    expect(await everywhere()).toEqual([all, example.applied, all]);

    await database.query('DROP TABLE tenant_globex.notes');
    expect((await tenancy('tenant', 'migrate', '--all')).exitCode).toBe(0);
    expect(await everywhere()).toEqual([all, all, all]);
  });

  test('with nothing to do, nothing is done', async () => {
    const { exitCode, stdout, stderr } = await tenancy('tenant', 'migrate', '--all', '--force-verify');
    expect(exitCode).toBe(0);
    expect(stdout + stderr).toContain('3 tenants up to date');
  });

  test('a tenant goes with all that the tool has made', async () => {
    for (const id of ['acme', large]) {
      const { exitCode, stderr } = await tenancy('tenant', 'deprovision', id, '--confirm', id, '--skip-backup');
      expect(exitCode, stderr).toBe(0);
    }
    expect(await database.query("SELECT nspname FROM pg_namespace WHERE nspname = 'tenant_acme'")).toEqual([]);
    expect(await database.query('SELECT datname FROM pg_database WHERE datname = $1', [`tenant_${large}`])).toEqual([]);
  });

  return {
    get database() {
      return database;
    },
    get directory() {
      return copy.directory;
    },
    tenancy,
  };
}
