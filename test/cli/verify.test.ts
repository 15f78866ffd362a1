import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createScene, type JsonRun, type Scene, writeTwoClusterConfig } from './scene.js';
import { listFindings } from './verify-findings.js';

const verify = (scene: Scene, ...args: string[]): Promise<JsonRun> => scene.json(['tenant', 'verify', ...args, '--exit-code']);

async function registryId({ db }: Scene): Promise<string> {
  return (await db.query<{ id: string }>('SELECT id FROM tenancy.registry'))[0]?.id ?? '';
}

describe.concurrent('verify of schema tenants', () => {
  test('has nothing to say of tenants that are as recorded, and writes nothing into them', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'a', 'b', 'c']);
    const run = await verify(scene, '--all');
    expect([run.exitCode, listFindings(run), run.finished.counts['up-to-date']]).toEqual([0, [], 3]);
    expect(run.events.map(({ type }) => type)).toEqual(['run.started', 'run.finished']);
  });

  test('names each tenant that was changed behind the tool, and what mends it', { timeout: 60_000 }, async (scope) => {
    const scene = await createScene(scope, {
      migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n', '0002_b.sql': 'CREATE TABLE b (id int);\n' },
    });
    await scene.ok(['tenant', 'provision', 'fine', 'gone', 'bare', 'other', 'edited', 'skewed', 'lost', 'stuck', 'left']);
    const { db } = scene;
    await db.query('DROP SCHEMA tenant_gone CASCADE');
    await db.query('COMMENT ON SCHEMA tenant_bare IS NULL');
    await db.query(`COMMENT ON SCHEMA tenant_other IS 'tenancy:{"tenant":"other","registry":"another","operation":"o"}'`);
    await db.query(`UPDATE tenant_edited._tenancy_migrations SET checksum = repeat('0', 64) WHERE name = '0001_a'`);
    await db.query(`UPDATE tenancy.tenants SET schema_version = '0001_a' WHERE id = 'skewed'`);
    await db.query('TRUNCATE tenant_lost._tenancy_migrations');
    await db.query(
      `UPDATE tenancy.tenants SET status = 'failed', operation = '{"id":"x","type":"provision","cameFrom":null}' WHERE id = 'stuck'`,
    );
    await db.query(`UPDATE tenancy.tenants SET lease_owner = 'o', lease_host = 'gone', lease_since = now() - interval '1 hour',
      lease_expires_at = now() - interval '1 minute', last_error = '{"code":"X","message":"it broke","step":null,"at":"2026-01-01"}' WHERE id = 'left'`);
    await db.query(`CREATE SCHEMA stray`);
    await db.query(`COMMENT ON SCHEMA stray IS 'tenancy:{"tenant":"nobody","registry":"${await registryId(scene)}","operation":"o"}'`);

    const found = await verify(scene, '--all');
    const expected = [
      'error-stale left found',
      'history-changed edited found',
      'history-lost lost found',
      'home-foreign other found',
      'home-missing gone found',
      'home-unmarked bare found',
      'lease-left left found',
      'operation-unfinished stuck found',
      'orphan-home stray found',
      'version-skewed skewed found',
    ];
    expect([found.exitCode, listFindings(found)]).toEqual([3, expected]);
    expect(found.finished.failed.map(({ outcome, error }) => `${outcome} ${error?.code}`)).toEqual(
      Array(7).fill('unverified TENANCY_TENANT_DRIFTED'),
    );
    // Without --exit-code what was found is told, and nothing more.
    expect((await scene.json(['tenant', 'verify', '--failed'])).exitCode).toBe(0);

    const dry = await verify(scene, '--all', '--fix', '--dry-run');
    expect(listFindings(dry).filter((line) => !line.endsWith(' found'))).toEqual([
      'error-stale left would-fix',
      'orphan-home stray would-fix',
      'version-skewed skewed would-fix',
    ]);
    const fixed = await verify(scene, '--all', '--fix');
    expect(listFindings(fixed).filter((line) => !line.endsWith(' found'))).toEqual([
      'error-stale left fixed',
      'orphan-home stray fixed',
      'version-skewed skewed fixed',
    ]);

    // Each by what it was said to take.
    const repairs = new Map(fixed.of('tenant.finding').map(({ code, repair }) => [code, repair ?? '']));
    for (const code of ['home-unmarked', 'home-foreign'] as const)
      await db.query(/COMMENT ON .*$/.exec(repairs.get(code) ?? '')?.[0] ?? '');
    const [, checksum] = /back to ([0-9a-f]{64})$/.exec(repairs.get('history-changed') ?? '') ?? [];
    await db.query('UPDATE tenant_edited._tenancy_migrations SET checksum = $1 WHERE name = $2', [checksum, '0001_a']);
    await scene.ok(['tenant', 'repair', 'lost', '--applied-up-to', '0002_b']);
    await scene.ok(['tenant', 'provision', 'stuck']);
    await scene.ok(['tenant', 'deprovision', 'gone', '--skip-backup', '--confirm', 'gone']);
    const clean = await verify(scene, '--all');
    expect([clean.exitCode, listFindings(clean)]).toEqual([0, []]);
  });

  test('with a migrator of the user’s compares what that one reads, and says that structures are not', {
    timeout: 60_000,
  }, async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `hooks: { migrate: { type: 'migrator', name: 'ours', target: async () => 'v2',
        run: (ctx) => ctx.db.query("CREATE TABLE IF NOT EXISTS versions AS SELECT 'v2' AS v"),
        readVersion: async (ctx) => (await ctx.db.query('SELECT v FROM versions').catch(() => ({ rows: [] }))).rows[0]?.v ?? null } },`,
    }));
    await scene.write('tenancy.config.mjs', (await readConfig(scene)).replace(/migrations: .*$/m, ''));
    await scene.ok(['tenant', 'provision', 'acme', 'beta']);
    await scene.db.query(`UPDATE tenant_beta.versions SET v = 'v1'`);
    const run = await verify(scene, '--all');
    expect([run.exitCode, listFindings(run)]).toEqual([
      3,
      ['structure-unchecked acme found', 'structure-unchecked beta found', 'version-skewed beta found'],
    ]);
    const unchecked = run.of('tenant.finding').filter(({ code }) => code === 'structure-unchecked');
    for (const { repair } of unchecked) expect(repair).toContain('--skip-structure');
    await scene.db.query('DROP TABLE tenant_beta.versions');
    await scene.ok(['tenant', 'migrate', 'beta', '--force-verify']);
    expect((await verify(scene, '--all')).exitCode).toBe(0);
  });

  test('is a run like the others: kept, retold, reported for CI, narrowed to who had findings, and to be had from a program', {
    timeout: 60_000,
  }, async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'a', 'b', 'c']);
    await scene.db.query('ALTER TABLE tenant_b.accounts ADD phone text');
    const plain = await scene.run(['tenant', 'verify', '--all', '--junit', 'verify.xml']);
    expect(plain.exitCode).toBe(0);
    expect(plain.stdout).toContain('drift  structure-differs (1 finding)\n  b: column phone of table accounts is not of the migrations\n');
    expect(await readFile(path.join(scene.directory, 'verify.xml'), 'utf8')).toContain('type="TENANCY_TENANT_DRIFTED"');
    const shown = await scene.run(['run', 'show', 'last']);
    expect(shown.stdout).toContain('with findings');
    expect((await scene.run(['run', 'retry', 'last'])).stderr).toContain('it was a verify');
    const failed = await verify(scene, '--failed');
    expect([failed.exitCode, failed.finished.counts.unverified, failed.finished.counts['up-to-date']]).toEqual([3, 1, 0]);
    // Who asked for nothing, for what is nobody's, or for what would do nothing, is told so before anything is looked at.
    for (const args of [[], ['a', '--all'], ['a', '--dry-run'], ['zzz'], ['../a'], ['--cluster', 'typo']])
      expect((await scene.json(['tenant', 'verify', ...args])).exitCode).toBe(2);

    const { createTenancy } = await import('../../src/create-tenancy.js');
    const events: string[] = [];
    const tenancy = await createTenancy(
      {
        registry: { url: scene.db.url },
        clusters: { main: { url: scene.db.url } },
        placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
        migrations: { directory: path.join(scene.directory, 'migrations') },
      },
      { onEvent: (event) => void events.push(event.type) },
    );
    scope.onTestFinished(() => tenancy.close());
    const report = await tenancy.verify({ all: true });
    expect([report.findings, report.fixed, report.exitCode]).toEqual([1, 0, 0]);
    expect(events).toContain('tenant.finding');
    await scene.db.query('ALTER TABLE tenant_b.accounts DROP phone');
    expect(await tenancy.verify({ ids: ['b'] }, { exitCodeOfFindings: 3 })).toMatchObject({ findings: 0, exitCode: 0 });
  });

  test('leaves whom another process works on, and says that it could not look', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'a', 'b']);
    await scene.db.query(
      `UPDATE tenancy.tenants SET lease_owner = 'o', lease_host = 'h', lease_since = now(), lease_expires_at = now() + interval '1 hour' WHERE id = 'a'`,
    );
    const run = await verify(scene, '--all', '--lease-wait', '0s');
    expect([run.exitCode, run.finished.failed.map(({ tenant, outcome, error }) => `${tenant} ${outcome} ${error?.code}`)]).toEqual([
      1,
      ['a failed TENANCY_LOCK_HELD'],
    ]);
    expect((await verify(scene, 'a', '--lease-wait', '0s')).exitCode).toBe(5);
    expect(await scene.db.query(`SELECT lease_owner AS o, last_error FROM tenancy.tenants WHERE id = 'a'`)).toEqual([
      { o: 'o', last_error: null },
    ]);
  });

  test('looks at what it can where a server is away, and says what it could not', { timeout: 60_000 }, async (scope) => {
    const scene = await createScene(scope, (db) => ({
      config: writeTwoClusterConfig({ url: db.url }, { url: 'postgres://nobody@127.0.0.1:1/none' }),
    }));
    await scene.ok(['tenant', 'provision', 'a']);
    await scene.db.query('CREATE SCHEMA stray');
    await scene.db.query(
      `COMMENT ON SCHEMA stray IS 'tenancy:{"tenant":"nobody","registry":"${await registryId(scene)}","operation":"o"}'`,
    );
    const run = await verify(scene, '--all');
    expect([run.exitCode, listFindings(run), run.of('run.warned').map(({ code }) => code)]).toEqual([
      1,
      ['orphan-home stray found'],
      ['TENANCY_CLUSTER_UNREACHABLE'],
    ]);
  });
});

const readConfig = ({ directory }: Scene): Promise<string> => readFile(path.join(directory, 'tenancy.config.mjs'), 'utf8');
