import { randomInt } from 'node:crypto';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import type { StampedRunEvent } from '../../src/events.js';
import type { Tenancy } from '../../src/tenancy.js';
import { repositoryRoot } from '../rig/cli.js';
import { createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { presetCases } from './preset-cases.js';

const drivers = ['postgres-schema', 'postgres-database'] as const;
const runs = presetCases.flatMap((preset) => drivers.map((driver) => [`${preset.name} over ${driver}`, { preset, driver }] as const));

const accounts = 'CREATE TABLE accounts (id int PRIMARY KEY)';
const invoices = 'CREATE TABLE invoices (id int PRIMARY KEY)';

/** Waits until two connections are in it: locks are seen by everybody, also of transactions that are still open. */
function meetAnother(): string {
  const key = randomInt(1, 2_000_000_000);
  const met = `(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = ${key} AND granted) >= 2`;
  return `DO $$ BEGIN PERFORM pg_advisory_lock_shared(${key});
    FOR i IN 1..500 LOOP EXIT WHEN ${met}; PERFORM pg_sleep(0.02); END LOOP;
    IF NOT ${met} THEN RAISE 'nobody came'; END IF;
    PERFORM pg_sleep(0.3); END $$`;
}

describe.each(runs)('%s', { timeout: 60_000 }, (_name, { preset, driver }) => {
  let database: TestDatabase;
  let root: string;
  let tenancy: Tenancy;
  let events: StampedRunEvent[];

  beforeEach(async () => {
    [database, root] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'presets-'))]);
    await symlink(path.join(repositoryRoot, 'node_modules'), path.join(root, 'node_modules'), 'dir');
    await writeFile(path.join(root, 'package.json'), '{ "type": "module" }\n');
    await preset.write(root, 1, accounts);
    tenancy = await open();
  });
  afterEach(async () => {
    await tenancy.close();
    await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
  });

  /** As the next command does it: what was read of the files before is forgotten. */
  async function open(retries = 0): Promise<Tenancy> {
    events = [];
    const { url, name } = database;
    const prefix = driver === 'postgres-schema' ? 'tenant' : name;
    return createTenancy(
      {
        registry: { url },
        clusters: { main: { url, concurrency: 4 } },
        placement: ({ id }) => ({ cluster: 'main', driver, name: `${prefix}_${id}` }),
        hooks: { migrate: preset.migrator() },
        defaults: { retries },
      },
      { root, onEvent: (event) => events.push(event) },
    );
  }

  async function reopen(retries = 0): Promise<void> {
    await tenancy.close();
    tenancy = await open(retries);
  }

  /** The names in the tool's own table, wherever in the tenant's home it has to be. */
  async function applied(id: string): Promise<string[]> {
    const { url, schema } = homeOf(id, preset.databaseSchema);
    const column = preset.name === 'drizzle' ? 'created_at' : 'name';
    return (await query<{ name: string }>(url, `SELECT ${column} AS name FROM ${schema}."${preset.table}" ORDER BY ${column}`)).map(
      (row) => (preset.name === 'drizzle' ? `${String((Number(row.name) - 1_700_000_000_000) / 1_000).padStart(4, '0')}_step` : row.name),
    );
  }

  async function has(id: string, table: string): Promise<boolean> {
    const { url, schema } = homeOf(id, 'public');
    const [row] = await query<{ there: boolean }>(url, `SELECT to_regclass('${schema}.${table}') IS NOT NULL AS there`);
    return row?.there === true;
  }

  function homeOf(id: string, schema: string): { url: string; schema: string } {
    return driver === 'postgres-schema'
      ? { url: database.url, schema: `tenant_${id}` }
      : { url: withDatabase(database.url, `${database.name}_${id}`), schema };
  }

  it('brings a new tenant, and the second one too, to the newest version, each in its own home', async () => {
    const second = await preset.write(root, 2, invoices);
    const report = await tenancy.provision(['acme', 'globex']);
    expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
    for (const id of ['acme', 'globex']) {
      expect((await tenancy.find(id)).schemaVersion).toBe(second);
      expect(await applied(id)).toHaveLength(2);
      expect(await has(id, 'accounts')).toBe(true);
      expect(await has(id, 'invoices')).toBe(true);
    }
    const shared = await database.query(
      "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'tenancy', 'tenant_acme', 'tenant_globex')",
    );
    expect(shared).toEqual([]);
  });

  it('does nothing where nothing is to be done, also when each tenant is asked', async () => {
    await tenancy.provision(['acme', 'globex']);
    await reopen();
    expect(await tenancy.migrate({ all: true })).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 2, applied: 0 } });
    expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({
      exitCode: 0,
      counts: { 'up-to-date': 2, applied: 0 },
    });
  });

  it('runs what was added since, in every tenant', async () => {
    await tenancy.provision(['acme', 'globex']);
    const second = await preset.write(root, 2, invoices);
    await reopen();
    expect(await tenancy.migrate({ all: true })).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
    for (const id of ['acme', 'globex']) {
      expect((await applied(id)).at(-1)).toBe(second);
      expect(await has(id, 'invoices')).toBe(true);
    }
  });

  it('leaves the others alone where one fails, names its migration, and goes on from there', async () => {
    await tenancy.provision(['acme', 'globex']);
    const home = homeOf('globex', 'public');
    await query(home.url, `CREATE TABLE ${home.schema}.invoices (id int)`);
    const second = await preset.write(root, 2, invoices);
    await reopen();
    const report = await tenancy.migrate({ all: true });
    expect(report).toMatchObject({ exitCode: 1, counts: { applied: 1, failed: 1 } });
    const [failed] = report.failed;
    expect(failed?.tenant).toBe('globex');
    expect(failed?.error?.message).toContain(second);
    expect(failed?.error?.message).toContain('relation "invoices" already exists');
    expect(await applied('acme')).toHaveLength(2);
    expect(await applied('globex')).toHaveLength(1);

    await query(home.url, `DROP TABLE ${home.schema}.invoices`);
    await reopen();
    expect(await tenancy.migrate({ all: true })).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 1, applied: 1 } });
    expect(await applied('globex')).toHaveLength(2);
  });

  it(`says of a migration that was slipped in below the newest what is true: the tool ${preset.slippedIn} it`, async () => {
    await preset.write(root, 3, invoices);
    await reopen();
    await tenancy.provision(['acme']);
    const slipped = await preset.write(root, 2, 'CREATE TABLE slipped (id int)');
    await reopen();
    const report = await tenancy.migrate({ all: true });
    const expected = {
      runs: { exitCode: 0, counts: { applied: 1 } },
      refuses: { exitCode: 1, counts: { failed: 1 } },
      'passes over': { exitCode: 1, counts: { unverified: 1 } },
    }[preset.slippedIn];
    expect(report).toMatchObject(expected);
    expect(await has('acme', 'slipped')).toBe(preset.slippedIn === 'runs');
    if (preset.slippedIn !== 'runs') expect(report.failed[0]?.error?.message).toContain(slipped);
  });

  it('does nothing, and says so, where the code was rolled back', async () => {
    const second = await preset.write(root, 2, invoices);
    await reopen();
    await tenancy.provision(['acme']);
    await rm(path.join(root, 'migrations'), { recursive: true });
    const first = await preset.write(root, 1, accounts);
    await reopen();
    expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 1 } });
    expect((await tenancy.find('acme')).schemaVersion).toBe(first);
    expect(await applied('acme')).toContain(second);
  });

  it('migrates tenants side by side, whatever lock the tool has', async () => {
    await tenancy.provision(['acme', 'globex']);
    await preset.write(root, 2, meetAnother());
    await reopen();
    const report = await tenancy.migrate({ all: true });
    expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
  });

  it('names the migration, and keeps what was thrown, where that is no error', async () => {
    if (!preset.throwing) return;
    await tenancy.provision(['acme']);
    const second = await preset.throwing(root, 2);
    await reopen();
    const { failed } = await tenancy.migrate({ all: true });
    expect(failed[0]?.error?.message).toContain(`${second}: it threw 'no room'`);
  });

  it('tries again where what the server said is worth that', async () => {
    await preset.write(root, 1, 'CREATE SEQUENCE tries');
    await reopen(1);
    await tenancy.provision(['acme']);
    const second = await preset.write(
      root,
      2,
      "DO $$ BEGIN IF nextval('tries') < 2 THEN RAISE 'busy' USING ERRCODE = '40001'; END IF; END $$",
    );
    await reopen(1);
    const report = await tenancy.migrate({ all: true });
    expect(report, JSON.stringify(report.failed)).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect((await applied('acme')).at(-1)).toBe(second);
  });

  it('ends at once, and leaves no connection, where the run is aborted', async () => {
    await tenancy.provision(['acme']);
    await preset.write(root, 2, 'SELECT pg_sleep(60)');
    await reopen();
    const abort = new AbortController();
    const migrating = tenancy.migrate({ all: true }, { signals: { abort: abort.signal } });
    await Promise.race([untilSleeping(), migrating]);
    abort.abort();
    expect(await migrating).toMatchObject({ exitCode: 130, counts: { cancelled: 1 } });
    await tenancy.close();
    await database.assertNoConnections();
    await reopen();
    expect(await applied('acme')).toHaveLength(1);
  });

  async function untilSleeping(): Promise<void> {
    for (;;) {
      const rows = await database.query(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid() AND starts_with(datname, $1)",
        [database.name],
      );
      if (rows.length > 0) return;
    }
  }
});
