import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { createScene, type JsonRun, type Scene } from './scene.js';
import { listFindings } from './verify-findings.js';

const verify = (scene: Scene, ...args: string[]): Promise<JsonRun> => scene.json(['tenant', 'verify', '--exit-code', ...args]);

/** Finds exactly these, as what makes the exit code. */
async function expectFindings(scene: Scene, args: readonly string[], expected: readonly string[]): Promise<JsonRun> {
  const run = await verify(scene, ...args);
  expect([run.exitCode, listFindings(run)]).toEqual([3, expected]);
  return run;
}

async function expectNone(scene: Scene, ...args: string[]): Promise<void> {
  const run = await verify(scene, ...args);
  expect([run.exitCode, listFindings(run)]).toEqual([0, []]);
}

const table = (name: string): string => `CREATE TABLE ${name} (id int);\n`;

describe.concurrent('verify finds, and is content once it was mended as it says,', { timeout: 180_000 }, () => {
  test('migrations whose file was edited, is gone, or came too late', async (scope) => {
    const scene = await createScene(scope, {
      migrations: { '0001_a.sql': table('a'), '0002_b.sql': table('b'), '0004_d.sql': table('d') },
    });
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0001_a.sql', table('z'));
    await rm(path.join(scene.directory, 'migrations/0002_b.sql'));
    await scene.write('migrations/0003_c.sql', table('c'));
    const run = await expectFindings(
      scene,
      ['--all'],
      ['migration-edited acme found', 'migration-missing acme found', 'migration-out-of-order acme found'],
    );
    expect(run.of('tenant.finding').map(({ message }) => message)).toEqual([
      'acme: 0001_a was edited after being applied',
      'acme: 0002_b was applied, and its file is gone',
      'acme: 0003_c is older than 0004_d, and not applied',
    ]);
    await scene.write('migrations/0001_a.sql', table('a'));
    await scene.write('migrations/0002_b.sql', table('b'));
    await expectFindings(scene, ['--all'], ['migration-out-of-order acme found']);
    await scene.ok(['tenant', 'migrate', 'acme', '--allow-out-of-order']);
    await expectNone(scene, '--all');
  });

  test('a statement that was interrupted', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': table('a') } });
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_i.sql', '-- tenancy: no-transaction\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n');
    const writer = new Client({ connectionString: scene.db.url });
    await writer.connect();
    try {
      // Such an index waits for those who are writing.
      await writer.query('BEGIN; INSERT INTO tenant_acme.a VALUES (1)');
      const started = await scene.start(['tenant', 'migrate', 'acme']);
      const building = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query ~ '^(/\\*.*\\*/ *)?CREATE INDEX CONCURRENTLY'`;
      await until(async () => (await scene.db.query(building)).length > 0, 'the index to be built');
      started.kill('SIGKILL');
      await started.result;
      await scene.db.query(building.replace('SELECT pid', 'SELECT pg_terminate_backend(pid, 5000)'));
    } finally {
      await writer.end();
    }
    await scene.db.query('UPDATE tenancy.tenants SET lease_expires_at = now() WHERE lease_owner IS NOT NULL');
    const found = await verify(scene, '--all', '--skip-structure');
    expect([found.exitCode, listFindings(found)]).toEqual([
      3,
      expect.arrayContaining(['lease-left acme found', 'migration-interrupted acme found']),
    ]);
    await scene.ok(['tenant', 'migrate', 'acme']);
    await expectNone(scene, '--all');
  });

  test('a home that is open or closed against what the registry says, or there still', async (scope) => {
    const scene = await createScene(scope);
    const { db } = scene;
    await scene.ok(['tenant', 'provision', 'open', 'closed', 'gone']);
    for (const id of ['open', 'closed']) await scene.ok(['tenant', 'deprovision', id, '--retain', '30d', '--skip-backup', '--confirm', id]);
    await expectNone(scene, '--all');
    const [retained] = await db.query<{ name: string }>(
      `SELECT 'tenancy_retained_' || home_operation_id AS name FROM tenancy.tenants WHERE id = 'open'`,
    );
    await db.query(`ALTER SCHEMA "${retained?.name}" RENAME TO tenant_open`);
    // As a registry says that was restored to an earlier moment.
    const [closed] = await db.query<{ row: object }>(
      `UPDATE tenancy.tenants t SET status = 'active', operation = NULL, retained_until = NULL
         FROM (SELECT operation, retained_until FROM tenancy.tenants WHERE id = 'closed') o WHERE id = 'closed' RETURNING to_jsonb(o) AS row`,
    );
    await db.query(`UPDATE tenancy.tenants SET status = 'deprovisioned', schema_version = NULL, migrations_hash = NULL WHERE id = 'gone'`);
    await expectFindings(
      scene,
      ['open', 'closed', 'gone'],
      ['home-left gone found', 'home-partial closed found', 'home-partial open found'],
    );
    await scene.ok(['tenant', 'undelete', 'open']);
    await db.query(
      `UPDATE tenancy.tenants SET status = 'retained', operation = $1::jsonb -> 'operation', retained_until = ($1::jsonb ->> 'retained_until')::timestamptz
        WHERE id = 'closed'`,
      [JSON.stringify(closed?.row)],
    );
    await scene.ok(['tenant', 'undelete', 'closed']);
    await db.query('DROP SCHEMA tenant_gone CASCADE');
    await expectNone(scene, 'open', 'closed', 'gone');
  });

  test('a database that is half dropped', async (scope) => {
    const scene = await createScene(scope, { driver: 'postgres-database' });
    await scene.ok(['tenant', 'provision', 'acme']);
    // As a DROP DATABASE leaves it that was broken off.
    await scene.db.query(`UPDATE pg_database SET datconnlimit = -2 WHERE datname = '${scene.db.name}_acme'`);
    await expectFindings(scene, ['--all'], ['home-partial acme found']);
    await scene.ok(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme']);
    await expectNone(scene, '--all');
  });

  test('a login that is gone, or shut out though its tenant is active', async (scope) => {
    const scene = await createScene(scope, { configExtra: `isolation: 'role', secrets: { directory: './secrets' },` });
    await scene.ok(['tenant', 'provision', 'gone', 'shut']);
    const login = async (id: string): Promise<string> =>
      (await scene.db.query<{ name: string }>(`SELECT login ->> 'current' AS name FROM tenancy.tenants WHERE id = $1`, [id]))[0]?.name ??
      '';
    await scene.db.query(`DROP ROLE ${await login('gone')}`);
    await scene.db.query(`ALTER ROLE ${await login('shut')} NOLOGIN`);
    await expectFindings(scene, ['--all'], ['login-missing gone found', 'login-missing shut found']);
    const fixed = await verify(scene, '--all', '--fix');
    expect(listFindings(fixed)).toEqual(['login-missing gone found', 'login-missing shut fixed']);
    await scene.ok(['tenant', 'rotate', 'gone']);
    await expectNone(scene, '--all');

    // What is advised can be typed while it is suspended, too.
    await scene.ok(['tenant', 'suspend', 'gone']);
    await scene.db.query(`DROP ROLE ${await login('gone')}`);
    const advised = await scene.run(['tenant', 'verify', 'gone']);
    expect(advised.stdout).toContain('`tenancy tenant resume gone` first, then `tenancy tenant rotate gone`');
    expect((await scene.ok(['tenant', 'resume', 'gone'])).stderr).toContain('`tenancy tenant rotate gone` makes another');
    await scene.ok(['tenant', 'rotate', 'gone']);
    await expectNone(scene, '--all');
    for (const id of ['gone', 'shut']) await scene.ok(['tenant', 'deprovision', id, '--skip-backup', '--confirm', id]);
  });

  test('a home made ahead that nobody finishes', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      config: `export default {
        registry: { url: '${db.url}' },
        clusters: { main: { url: '${db.url}', pool: { driver: 'postgres-database', size: 1 } } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: '${db.name}_' + id }),
        migrations: { directory: './migrations' },
      };`,
    }));
    await scene.ok(['registry', 'init']);
    await scene.ok(['pool', 'fill']);
    const [spare] = await scene.db.query<{ name: string }>(
      `UPDATE tenancy.prepared_homes SET status = 'making', alive_until = now() - interval '1 hour' WHERE type = 'spare' RETURNING name`,
    );
    // A note: nobody lives there.
    const found = await verify(scene, '--all');
    expect([found.exitCode, listFindings(found)]).toEqual([0, [`prepared-abandoned ${spare?.name} found`]]);
    const fixed = await verify(scene, '--all', '--fix');
    expect([fixed.exitCode, listFindings(fixed)]).toEqual([0, [`prepared-abandoned ${spare?.name} fixed`]]);
    expect(await scene.db.query('SELECT FROM pg_database WHERE datname = $1', [spare?.name])).toEqual([]);
    await expectNone(scene, '--all');
  });
});
