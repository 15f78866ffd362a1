import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TenancyConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy, TenancyOptions } from '../../src/tenancy.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';

/** Runs as a program starts them, a sign-up handler say. */
describe('a run by the API', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let directory: string;
  const opened: Tenancy[] = [];

  beforeEach(async () => {
    [database, directory] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await Promise.all([database.drop(), rm(directory, { recursive: true })]);
  });

  async function open(config: Partial<TenancyConfig> = {}, options: TenancyOptions = {}): Promise<Tenancy> {
    const { url } = database;
    const tenancy = await createTenancy(
      {
        registry: { url },
        clusters: { main: { url, concurrency: 2 } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` }),
        ...config,
      },
      { root: directory, ...options },
    );
    opened.push(tenancy);
    return tenancy;
  }

  const writeMigration = (name: string, sql: string): Promise<void> => writeFile(path.join(directory, name), sql);

  it('that is aborted starts no more tenants and says that it was interrupted', async () => {
    const abort = new AbortController();
    let created = 0;
    const tenancy = await open({
      hooks: {
        create: async () => {
          created += 1;
          abort.abort();
        },
      },
    });
    const report = await tenancy.provision(['t1', 't2', 't3', 't4', 't5', 't6'], { concurrency: 1, signals: { abort: abort.signal } });
    expect(created).toBe(1);
    expect(report).toMatchObject({ exitCode: 130, counts: { cancelled: 1, 'not-started': 5 } });
  });

  it('that is told to drain, whatever for, says that it was interrupted', async () => {
    const drain = new AbortController();
    drain.abort();
    const report = await (await open()).provision(['t1'], { signals: { drain: drain.signal } });
    expect(report).toMatchObject({ exitCode: 130, counts: { 'not-started': 1 } });
  });

  it('survives errors that no database can keep as text', async () => {
    const tenancy = await open({
      hooks: {
        verify: ({ tenant }) => {
          if (tenant.id === 'bad') throw new Error('binary \0 output \ud800');
        },
      },
    });
    const report = await tenancy.provision(['good', 'bad']);
    expect(report).toMatchObject({ exitCode: 1, counts: { applied: 1, failed: 1 } });
    expect(await tenancy.find('bad')).toMatchObject({ status: 'failed', lastError: { code: 'TENANCY_HOOK_FAILED' } });
  });

  it('is not harmed by a listener that fails, and says so once', async () => {
    const notices: string[] = [];
    const onEvent = (): never => {
      throw new Error('the socket is closed');
    };
    const tenancy = await open({}, { onEvent, onNotice: (text) => notices.push(text) });
    expect(await tenancy.provision(['t1', 't2'])).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
    expect(notices).toEqual([expect.stringContaining('the socket is closed')]);
  });

  it('goes on after --timeout also where a hook does not mind the signal', async () => {
    const tenancy = await open({ hooks: { verify: () => new Promise(() => undefined) } });
    const report = await tenancy.provision('acme', { limits: { timeoutMs: 1_000 } });
    expect(report).toMatchObject({ exitCode: 1, failed: [{ error: { code: 'TENANCY_TIMEOUT_REACHED' } }] });
  });

  it('that refuses a tenant, or is aborted, leaves what was known of it as it was', async () => {
    const abort = new AbortController();
    await writeMigration('0001_a.mjs', 'export async function up() {}');
    const tenancy = await open({ migrations: { directory } });
    await tenancy.provision(['suspended', 'broken']);
    await tenancy.suspend('suspended');
    expect(await tenancy.provision('suspended')).toMatchObject({ exitCode: 4 });
    expect((await tenancy.find('suspended')).lastError).toBeNull();

    const error = { code: 'TENANCY_STEP_FAILED', message: 'no room', step: 'migrate', at: '2026-01-01T00:00:00Z' };
    await database.query(`UPDATE tenancy.tenants SET last_error = $1 WHERE id = 'broken'`, [JSON.stringify(error)]);
    const migrating = await open({ migrations: { directory }, hooks: { beforeMigrate: async () => abort.abort() } });
    expect(await migrating.migrate({ ids: ['broken'] }, { signals: { abort: abort.signal } })).toMatchObject({ counts: { cancelled: 1 } });
    expect((await tenancy.find('broken')).lastError).toEqual(error);
  });

  it('asks again for a URL that could not be had the last time', async () => {
    let asked = 0;
    const tenancy = await open({
      registry: {
        url: () => {
          asked += 1;
          if (asked === 1) throw new Error('the vault is sealed');
          return database.url;
        },
      },
    });
    await expect(tenancy.provision('acme')).rejects.toThrow();
    expect(await tenancy.provision('acme')).toMatchObject({ exitCode: 0 });
  });

  it('records the newest migration by the order of the files, also after a late one has come in', async () => {
    await writeMigration('0001_a.sql', 'CREATE TABLE a ();');
    await writeMigration('0003_c.sql', 'CREATE TABLE c ();');
    const migrations = { directory };
    await (await open({ migrations })).provision('acme');
    await writeMigration('0002_b.sql', 'CREATE TABLE b ();');
    await writeMigration('0004_d.sql', 'THIS IS NO SQL;');
    const tenancy = await open({ migrations });
    await tenancy.migrate({ ids: ['acme'] }, { allowOutOfOrder: true });
    expect((await tenancy.find('acme')).schemaVersion).toBe('0003_c');
    await database.query(`UPDATE tenancy.tenants SET schema_version = NULL, migrations_hash = NULL`);
    await tenancy.repair('acme');
    expect((await tenancy.find('acme')).schemaVersion).toBe('0003_c');
  });

  it('retries what failed with the labels that it was placed by, and leaves alone what was removed since', async () => {
    let isBroken = true;
    const tenancy = await open({
      placement: ({ id, labels }) => {
        if (labels['tier'] !== 'gold') throw new Error(`${id} has no tier`);
        return { cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` };
      },
      hooks: {
        verify: () => {
          if (isBroken) throw new Error('not yet');
        },
      },
    });
    const failed = await tenancy.provision(['kept', 'removed'], { labels: { tier: 'gold' } });
    await tenancy.deprovision('removed', { confirm: 'removed', skipBackup: true });
    isBroken = false;
    expect(await tenancy.retryRun(failed.runId)).toMatchObject({ exitCode: 0, selected: 1, counts: { applied: 1 } });
    expect((await tenancy.find('removed')).status).toBe('deprovisioned');
  });
});
