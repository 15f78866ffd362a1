import { describe, expect, test } from 'vitest';
import { assertDocument } from '../rig/events-schema.js';
import { createScene } from './scene.js';

describe.concurrent('tenants', () => {
  test('are listed in pages and by what they have in common, and shown', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex', '--label', 'plan=pro']);
    await scene.db.query(`INSERT INTO tenancy.tenants (id, status, cluster, driver, name, home_operation_id, labels, schema_version)
      SELECT 'bulk-' || to_char(n, 'FM000'), CASE WHEN n % 2 = 0 THEN 'suspended' ELSE 'active' END, 'old', 'postgres-schema', 'bulk_' || n, 'op' || n, '{"plan":"free"}', '0001_accounts'
      FROM generate_series(1, 450) n`);
    const list = async (...args: string[]): Promise<readonly string[]> => {
      const { exitCode, stdout } = await scene.run(['tenant', 'list', '--json', ...args]);
      expect(exitCode).toBe(0);
      return assertDocument<{ tenants: { id: string }[] }>('tenantList', stdout).tenants.map(({ id }) => id);
    };
    const all = await list();
    expect(all).toHaveLength(452);
    expect(all).toEqual([...all].sort());
    expect(await list('--label', 'plan=pro')).toEqual(['acme', 'globex']);
    expect(await list('--cluster', 'old', '--status', 'suspended')).toHaveLength(225);
    expect(await list('--status', 'deprovisioned')).toEqual([]);
    const words = await scene.ok(['tenant', 'list']);
    expect(words.stdout.split('\n').filter((line) => line.includes('bulk-'))).toHaveLength(450);
    expect((await scene.run(['tenant', 'list', '--status', 'asleep'])).exitCode).toBe(2);

    const shown = assertDocument<{ id: string; status: string }>(
      'tenantShow',
      (await scene.ok(['tenant', 'show', 'acme', '--json'])).stdout,
    );
    expect(JSON.stringify(shown)).toContain('tenant_acme');
    const unknown = await scene.json(['tenant', 'show', 'ACME']);
    expect([unknown.exitCode, unknown.finished.error?.hint]).toEqual([2, 'did you mean acme?']);
    const status = assertDocument('fleetStatus', (await scene.ok(['status', '--json'])).stdout);
    expect(JSON.stringify(status)).toContain('"suspended"');
  });

  test('are suspended and resumed, and migrated meanwhile', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    const suspended = await scene.json(['tenant', 'suspend', 'acme']);
    expect([suspended.exitCode, suspended.of('run.warned').map(({ code }) => code)]).toEqual([0, ['TENANCY_ACCESS_NOT_ENFORCED']]);
    const again = await scene.json(['tenant', 'suspend', 'acme']);
    expect([again.exitCode, again.finished.counts['up-to-date']]).toEqual([0, 1]);
    await scene.write('migrations/0002_b.sql', 'SELECT 1;');
    expect((await scene.json(['tenant', 'migrate', '--all'])).finished.counts.applied).toBe(1);
    expect((await scene.json(['tenant', 'resume', 'acme'])).exitCode).toBe(0);
    expect((await scene.json(['tenant', 'resume', 'acme'])).finished.counts['up-to-date']).toBe(1);
    expect(await scene.db.query('SELECT status, schema_version FROM tenancy.tenants')).toEqual([
      { status: 'active', schema_version: '0002_b' },
    ]);
    await scene.ok(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme']);
    for (const command of ['suspend', 'resume', 'repair']) {
      const refused = await scene.json(['tenant', command, 'acme']);
      expect([command, refused.exitCode]).toEqual([command, 4]);
    }
  });

  test('are protected and unprotected, each said once', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    expect((await scene.ok(['tenant', 'protect', 'acme'])).stdout).toBe('acme is protected now\n');
    expect((await scene.ok(['tenant', 'protect', 'acme'])).stdout).toBe('acme is protected already\n');
    expect(JSON.parse((await scene.ok(['tenant', 'unprotect', 'acme', '--json'])).stdout)).toEqual({
      v: 1,
      tenant: 'acme',
      protected: false,
      changed: true,
    });
    expect((await scene.json(['tenant', 'protect', 'acne'])).exitCode).toBe(2);
  });

  test('are repaired where the registry and the tenant disagree', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.db.query(
      `UPDATE tenancy.tenants SET schema_version = 'nonsense', migrations_hash = 'nonsense', last_error = '{"code":"X","message":"y","step":null,"at":"2020-01-01T00:00:00Z"}'`,
    );
    expect((await scene.run(['status', '--exit-code'])).exitCode).toBe(3);
    const repaired = await scene.json(['tenant', 'repair', 'acme']);
    expect([repaired.exitCode, repaired.finished.counts.applied]).toEqual([0, 1]);
    expect(await scene.db.query('SELECT schema_version, last_error FROM tenancy.tenants')).toEqual([
      { schema_version: '0001_accounts', last_error: null },
    ]);
    expect((await scene.json(['tenant', 'repair', 'acme'])).finished.counts['up-to-date']).toBe(1);
    expect((await scene.run(['status', '--exit-code'])).exitCode).toBe(0);
    expect((await scene.json(['tenant', 'repair', 'acme', '--applied', '--rerun'])).exitCode).toBe(2);
  });
});

describe.concurrent('runs', () => {
  test('are listed, shown and retried', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.db.query('CREATE TABLE tenant_acme.b (id int)');
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
    const failed = await scene.json(['tenant', 'migrate', '--all']);
    const list = assertDocument<{ runs: { id: string; command: string; exitCode: number }[] }>(
      'runList',
      (await scene.ok(['run', 'list', '--json'])).stdout,
    );
    expect(list.runs.map(({ id, command, exitCode }) => [id, command, exitCode])).toEqual([
      [failed.finished.run, 'migrate', 1],
      [expect.any(String), 'provision', 0],
    ]);
    const limited = assertDocument<{ runs: unknown[] }>('runList', (await scene.ok(['run', 'list', '--limit', '1', '--json'])).stdout);
    expect(limited.runs).toHaveLength(1);
    const shown = assertDocument('runShow', (await scene.ok(['run', 'show', 'last', '--json'])).stdout);
    expect(JSON.stringify(shown)).toContain('already exists');
    expect((await scene.ok(['run', 'show', failed.finished.run ?? ''])).stdout).toContain('acme');
    const status = await scene.run(['status', '--exit-code']);
    expect([status.exitCode, status.stdout]).toEqual([3, expect.stringContaining('acme')]);
    expect((await scene.run(['status'])).exitCode).toBe(0);

    const still = await scene.json(['run', 'retry', failed.finished.run ?? '']);
    expect([still.exitCode, still.of('run.started')[0]?.selected]).toEqual([1, 1]);
    await scene.db.query('DROP TABLE tenant_acme.b');
    const retried = await scene.json(['run', 'retry', 'last']);
    expect([retried.exitCode, retried.of('tenant.finished').map(({ tenant }) => tenant)]).toEqual([0, ['acme']]);
    for (const args of [
      ['show', 'nope'],
      ['retry', 'nope'],
    ]) {
      const unknown = await scene.json(['run', ...args]);
      expect([unknown.exitCode, unknown.finished.error?.code]).toEqual([2, 'TENANCY_RUN_NOT_FOUND']);
    }
    await scene.ok(['tenant', 'suspend', 'acme']);
    const suspend = await scene.json(['run', 'retry', 'last']);
    expect([suspend.exitCode, suspend.finished.error?.code]).toEqual([2, 'TENANCY_RUN_NOT_RETRIABLE']);
    expect((await scene.json(['run', 'list', '--limit', '0'])).exitCode).toBe(2);
  });
});

describe.concurrent('registry adopt', () => {
  test.for(['postgres-schema', 'postgres-database'] as const)(
    'brings in every %s that fits, once it is counted, and they are migrated from then on',
    async (driver, scope) => {
      const scene = await createScene(scope, {
        driver,
        migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n', '0002_b.sql': 'CREATE TABLE b (id int);\n' },
      });
      const isDatabase = driver === 'postgres-database';
      const prefix = isDatabase ? `${scene.db.name}_` : 'tenant_';
      for (const id of ['acme', 'globex']) {
        await scene.db.query(
          isDatabase ? `CREATE DATABASE ${prefix}${id}` : `CREATE SCHEMA ${prefix}${id}; CREATE TABLE ${prefix}${id}.a (id int)`,
        );
      }
      if (isDatabase) {
        const { query, withDatabase } = await import('../rig/postgres.js');
        for (const id of ['acme', 'globex']) await query(withDatabase(scene.db.url, `${prefix}${id}`), 'CREATE TABLE a (id int)');
      } else await scene.db.query('CREATE SCHEMA unrelated');
      const args = [
        'registry',
        'adopt',
        '--pattern',
        `${prefix}{id}`,
        '--driver',
        driver,
        '--applied-up-to',
        '0001_a',
        '--label',
        'from=before',
      ];
      await scene.ok(['registry', 'init']);
      const before = await scene.snapshot();
      const planned = await scene.json([...args, '--dry-run']);
      expect([planned.exitCode, planned.of('tenant.planned').map(({ tenant, name }) => [tenant, name])]).toEqual([
        0,
        [
          ['acme', `${prefix}acme`],
          ['globex', `${prefix}globex`],
        ],
      ]);
      for (const [confirm, code] of [
        [[], 'TENANCY_CONFIRMATION_MISSING'],
        [['--yes'], 'TENANCY_CONFIRMATION_MISSING'],
        [['--confirm', '3'], 'TENANCY_CONFIRMATION_MISMATCHED'],
      ] as const) {
        const refused = await scene.json([...args, ...confirm]);
        expect([refused.exitCode, refused.finished.error?.code]).toEqual([4, code]);
      }
      expect({ ...((await scene.snapshot()) as object), rows: undefined }).toEqual({ ...(before as object), rows: undefined });
      expect((await scene.json(['registry', 'adopt', '--pattern', 'tenant'])).exitCode).toBe(2);

      const run = await scene.json([...args, '--confirm', '2']);
      expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 2]);
      expect(await scene.db.query('SELECT id, status, schema_version, labels FROM tenancy.tenants ORDER BY id')).toEqual(
        ['acme', 'globex'].map((id) => ({ id, status: 'active', schema_version: '0001_a', labels: { from: 'before' } })),
      );
      const migrated = await scene.json(['tenant', 'migrate', '--all']);
      expect([migrated.exitCode, migrated.of('migration.finished').map(({ migration }) => migration)]).toEqual([0, ['0002_b', '0002_b']]);
      const again = await scene.json([...args, '--confirm', '0']);
      expect([again.exitCode, again.of('run.started')[0]?.selected]).toEqual([0, 0]);
      expect((await scene.json(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'])).exitCode).toBe(0);
    },
  );

  test('takes over a history of our own, but nothing that carries the mark of another registry', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.db.query('DROP SCHEMA tenancy CASCADE');
    const adopt = ['registry', 'adopt', '--pattern', 'tenant_{id}', '--confirm', '2'];
    const before = await scene.db.query(`SELECT obj_description('tenant_acme'::regnamespace) AS mark`);
    const leftAlone = await scene.json(adopt);
    expect(leftAlone.finished.counts.applied).toBe(0);
    expect(leftAlone.stdout).toContain('another registry');
    expect(await scene.db.query(`SELECT obj_description('tenant_acme'::regnamespace) AS mark`)).toEqual(before);
    await scene.db.query('DROP SCHEMA tenancy CASCADE');
    const taken = await scene.json(['tenant', 'provision', 'acme']);
    expect([taken.exitCode, taken.finished.failed[0]?.error?.hint]).toEqual([
      4,
      expect.stringContaining('COMMENT ON SCHEMA "tenant_acme" IS NULL'),
    ]);
    await scene.db.query('DROP SCHEMA tenancy CASCADE');
    await scene.db.query('COMMENT ON SCHEMA tenant_acme IS NULL; COMMENT ON SCHEMA tenant_globex IS NULL');
    const run = await scene.json(adopt);
    expect([run.exitCode, run.finished.failed]).toEqual([0, []]);
    expect(await scene.db.query('SELECT DISTINCT status, schema_version FROM tenancy.tenants')).toEqual([
      { status: 'active', schema_version: '0001_accounts' },
    ]);
    expect((await scene.json(['tenant', 'migrate', '--all'])).finished.counts['up-to-date']).toBe(2);
  });
});

describe.concurrent('a registry that was damaged', () => {
  const tables = ['registry', 'clusters', 'tenants', 'steps', 'runs', 'run_tenants', 'events'];
  test.for(tables)('by the loss of tenancy.%s is told so, and is no bug', async (table, scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.db.query(`DROP TABLE tenancy.${table} CASCADE`);
    const run = await scene.json(['tenant', 'provision', 'globex']);
    const told = run.finished.error ?? run.finished.failed[0]?.error;
    expect(told).toMatchObject({
      code: 'TENANCY_REGISTRY_DAMAGED',
      message: expect.stringContaining(`tenancy.${table}`),
      retryable: false,
    });
    expect(told?.hint).toContain('tenancy registry adopt');
    expect([1, 2]).toContain(run.exitCode);
    expect(run.stderr).not.toMatch(/bug in tenancy|^ {4}at /m);
    expect((await scene.run(['doctor'])).stdout).toMatch(new RegExp(`✖ registry .*tenancy\\.${table} is missing`));
  });
});
