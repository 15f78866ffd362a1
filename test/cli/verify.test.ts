import { describe, expect, test } from 'vitest';
import { createScene, type JsonRun, type Scene } from './scene.js';
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
});
