import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

const counted = (name: string): string => `CREATE TABLE IF NOT EXISTS counts (name text); INSERT INTO counts VALUES ('${name}');\n`;

describe.concurrent('provision', () => {
  test.each(['postgres-schema', 'postgres-database'] as const)(
    'makes a %s, says what was done and where it lives, and is a no-op the second time',
    async (driver) => {
      const cleanUps: (() => Promise<void>)[] = [];
      const scene = await createScene(
        { onTestFinished: (cleanUp) => cleanUps.push(cleanUp) },
        { driver, seeds: { 'plans.sql': counted('plans.sql') }, migrations: { '0001_counts.sql': counted('0001_counts') } },
      );
      try {
        const first = await scene.ok(['tenant', 'provision', 'Acme-1', '--label', 'plan=pro', '--label', 'region=eu']);
        const name = `${driver === 'postgres-database' ? `${scene.db.name}_` : 'tenant_'}acme-1`;
        expect(first.stdout).toContain('Acme-1');
        expect(first.stdout).toContain(name);
        expect(first.stdout).toContain('psql');
        const [tenant] = await scene.db.query('SELECT status, name, labels, schema_version, incarnation, lease_owner FROM tenancy.tenants');
        expect(tenant).toEqual({
          status: 'active',
          name,
          labels: { plan: 'pro', region: 'eu' },
          schema_version: '0001_counts',
          incarnation: 1,
          lease_owner: null,
        });

        const before = await scene.snapshot();
        const again = await scene.json(['tenant', 'provision', 'Acme-1']);
        expect(again.exitCode).toBe(0);
        expect(again.finished.counts).toMatchObject({ 'up-to-date': 1, applied: 0 });
        expect(again.of('tenant.located')).toHaveLength(1);
        expect((await scene.ok(['tenant', 'provision', 'Acme-1'])).stdout).toMatch(/Acme-1.*nothing to do/);
        expect(await scene.snapshot()).toEqual(before);
      } finally {
        for (const cleanUp of cleanUps) await cleanUp();
      }
    },
  );

  test('takes many ids, from the command line and from stdin, each once', async (scope) => {
    const scene = await createScene(scope);
    const run = await scene.json(['tenant', 'provision', 'a1', '-', 'a2'], { input: '\uFEFFb1\r\n\n# a comment\n  b2  \na1\n' });
    expect(run.exitCode).toBe(0);
    expect(
      run
        .of('tenant.finished')
        .map(({ tenant }) => tenant)
        .sort(),
    ).toEqual(['a1', 'a2', 'b1', 'b2']);
    expect(run.of('tenant.located')).toHaveLength(4);
    const nothing = await scene.json(['tenant', 'provision', '-'], { input: '# only a comment\n' });
    expect([nothing.exitCode, nothing.finished.error?.code]).toEqual([2, 'TENANCY_STDIN_EMPTY']);
    expect((await scene.json(['tenant', 'provision'])).exitCode).toBe(2);
  });

  test('continues after a broken migration is mended, and does nothing twice', async (scope) => {
    const scene = await createScene(scope, {
      migrations: { '0001_counts.sql': counted('0001_counts'), '0002_broken.sql': 'SELECT 1;\nCREATE TABLE oops (id nosuchtype);\n' },
      seeds: { 'plans.sql': counted('plans.sql') },
    });
    const failed = await scene.json(['tenant', 'provision', 'acme']);
    expect(failed.exitCode).toBe(1);
    const [outcome] = failed.finished.failed;
    expect(outcome?.error?.message).toMatch(/^acme: migration 0002_broken, line 2, column 23:/);
    expect(outcome?.error?.message).toContain('nosuchtype');
    expect(outcome?.error?.hook).toBe('migrate');
    expect(await scene.db.query('SELECT status, last_error ->> $1 AS step FROM tenancy.tenants', ['step'])).toEqual([
      { status: 'failed', step: 'migrate' },
    ]);

    const shown = await scene.run(['tenant', 'provision', 'acme']);
    expect(shown.stderr).toContain('0002_broken, line 2, column 23');
    expect(shown.stderr).toContain('CREATE TABLE oops (id nosuchtype)');

    await scene.write('migrations/0002_broken.sql', counted('0002_broken'));
    const mended = await scene.json(['tenant', 'provision', 'acme']);
    expect(mended.exitCode).toBe(0);
    expect(mended.of('migration.finished').map(({ migration }) => migration)).toEqual(['0002_broken']);
    expect(mended.of('step.finished').find(({ step }) => step === 'create')?.status).toBe('done-before');
    expect(await scene.db.query('SELECT name FROM tenant_acme.counts ORDER BY 1')).toEqual([
      { name: '0001_counts' },
      { name: '0002_broken' },
      { name: 'plans.sql' },
    ]);
  });

  test('continues after a broken seed is mended', async (scope) => {
    const scene = await createScene(scope, {
      migrations: { '0001_counts.sql': counted('0001_counts') },
      seeds: { 'a.sql': counted('a.sql'), 'b.sql': 'SELECT nonsense;\n' },
    });
    const failed = await scene.json(['tenant', 'provision', 'acme']);
    expect(failed.exitCode).toBe(1);
    expect(failed.finished.failed[0]?.error).toMatchObject({ hook: 'seed' });
    expect(failed.finished.failed[0]?.error?.message).toMatch(/^acme: seed b\.sql, line 1, column 8:/);
    await scene.write('seeds/b.sql', counted('b.sql'));
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
    expect(await scene.db.query('SELECT name FROM tenant_acme.counts ORDER BY 1')).toEqual([
      { name: '0001_counts' },
      { name: 'a.sql' },
      { name: 'b.sql' },
    ]);
  });

  test('refuses a tenant that is suspended or half gone, and says what to type', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'sleepy', 'leaving', 'bystander']);
    await scene.ok(['tenant', 'suspend', 'sleepy']);
    const suspended = await scene.json(['tenant', 'provision', 'sleepy']);
    expect([suspended.exitCode, suspended.finished.failed[0]?.error?.code]).toEqual([4, 'TENANCY_STATE_REFUSED']);
    expect(suspended.finished.failed[0]?.error?.hint).toContain('tenancy tenant resume sleepy');
    const planned = await scene.json(['tenant', 'provision', 'sleepy', '--dry-run']);
    expect(planned.of('tenant.planned')).toEqual([]);
    expect(planned.exitCode).toBe(4);

    await scene.db.query(
      `UPDATE tenancy.tenants SET status = 'deprovisioning', operation = '{"id":"op","type":"deprovision","cameFrom":"active"}' WHERE id = 'leaving'`,
    );
    const leaving = await scene.json(['tenant', 'provision', 'leaving', 'bystander']);
    expect([leaving.exitCode, leaving.finished.failed.map(({ tenant }) => tenant)]).toEqual([1, ['leaving']]);
    expect(leaving.finished.failed[0]?.error?.hint).toContain('tenancy tenant deprovision leaving');
  });

  test('leaves a schema of somebody else alone', async (scope) => {
    const scene = await createScene(scope);
    await scene.db.query('CREATE SCHEMA tenant_acme; CREATE TABLE tenant_acme.precious (id int)');
    const refused = await scene.json(['tenant', 'provision', 'acme']);
    expect([refused.exitCode, refused.finished.failed[0]?.error?.code]).toEqual([4, 'TENANCY_NAME_TAKEN']);
    expect(refused.finished.failed[0]?.error?.hint).toContain('tenancy registry adopt');
    expect(await scene.db.query(`SELECT relname FROM pg_class WHERE relnamespace = 'tenant_acme'::regnamespace`)).toEqual([
      { relname: 'precious' },
    ]);
    expect(await scene.db.query(`SELECT obj_description('tenant_acme'::regnamespace) AS comment`)).toEqual([{ comment: null }]);
    await scene.db.query('DROP SCHEMA tenant_acme CASCADE');
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
  });

  test('leaves a database of somebody else alone', async (scope) => {
    const scene = await createScene(scope, { driver: 'postgres-database' });
    await scene.db.query(`CREATE DATABASE ${scene.db.name}_acme`);
    const refused = await scene.json(['tenant', 'provision', 'acme']);
    expect([refused.exitCode, refused.finished.failed[0]?.error?.code]).toEqual([4, 'TENANCY_NAME_TAKEN']);
    const drafts = `SELECT datname FROM pg_database, tenancy.tenants WHERE datname = 'tenancy_op_' || home_operation_id`;
    expect(await scene.db.query(drafts)).toEqual([]);
  });

  test('refuses impossible ids and clashes before anything is made', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: id.startsWith('same') ? 'Tenant_Same'.toLowerCase() : 'tenant_' + id.toLowerCase() }),`,
    }));
    for (const id of ['', '-x', 'a b', 'a;b', 'tenant*', 'ä', 'x'.repeat(64), '../etc']) {
      const refused = await scene.json(['tenant', 'provision', '--', 'fine', id]);
      expect([id, refused.exitCode, refused.finished.error?.code]).toEqual([id, 2, 'TENANCY_ID_REJECTED']);
    }
    expect(await scene.db.query(`SELECT 1 FROM pg_namespace WHERE nspname IN ('tenancy', 'tenant_fine')`)).toEqual([]);

    await scene.ok(['tenant', 'provision', 'acme', 'same1']);
    const byCase = await scene.json(['tenant', 'provision', 'ACME']);
    expect([byCase.exitCode, byCase.finished.error?.code, byCase.finished.error?.hint]).toEqual([
      4,
      'TENANCY_ID_TAKEN',
      expect.stringContaining('did you mean acme?'),
    ]);
    const byPlace = await scene.json(['tenant', 'provision', 'same2']);
    expect([byPlace.exitCode, byPlace.finished.error?.code]).toEqual([4, 'TENANCY_PLACEMENT_TAKEN']);
    const before = await scene.snapshot();
    for (const [id, code] of [
      ['ACME', 'TENANCY_ID_TAKEN'],
      ['same2', 'TENANCY_PLACEMENT_TAKEN'],
    ] as const) {
      const planned = await scene.json(['tenant', 'provision', id, '--dry-run']);
      expect([planned.exitCode, planned.finished.error?.code]).toEqual([4, code]);
    }
    const both = await scene.json(['tenant', 'provision', 'b1', 'B1']);
    expect(both.exitCode).toBe(4);
    expect(await scene.snapshot()).toEqual(before);
  });

  test('a dry run writes nothing, with and without a registry', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': 'SELECT 1;', '0002_b.sql': 'SELECT 2;' } });
    const empty = await scene.snapshot();
    const first = await scene.json(['tenant', 'provision', 'acme', 'globex', '--dry-run']);
    expect(first.exitCode).toBe(0);
    expect(first.of('run.started')[0]?.dryRun).toBe(true);
    expect(first.of('tenant.planned').map(({ tenant, migrations }) => [tenant, migrations])).toEqual([
      ['acme', ['0001_a', '0002_b']],
      ['globex', ['0001_a', '0002_b']],
    ]);
    expect(await scene.snapshot()).toEqual(empty);

    await scene.ok(['tenant', 'provision', 'acme']);
    const before = await scene.snapshot();
    const second = await scene.run(['tenant', 'provision', 'acme', 'globex', '--dry-run']);
    expect(second.exitCode).toBe(0);
    expect(second.stdout).toContain('globex');
    expect(second.stdout).not.toMatch(/^acme/m);
    expect(second.stdout + second.stderr).not.toContain('run retry');
    expect(await scene.snapshot()).toEqual(before);
  });
});
