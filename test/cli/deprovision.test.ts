import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

const sure = (id: string): string[] => ['tenant', 'deprovision', id, '--skip-backup', '--confirm', id];

describe.concurrent('deprovision', () => {
  test.for(['postgres-schema', 'postgres-database'] as const)(
    'of a %s leaves a tombstone and nothing else, and the id can be provisioned again',
    async (driver, scope) => {
      const scene = await createScene(scope, { driver });
      await scene.ok(['tenant', 'provision', 'acme', 'bystander']);
      const before = await scene.db.query(`SELECT to_jsonb(t) AS row FROM tenancy.tenants t WHERE id = 'bystander'`);
      const run = await scene.json(sure('acme'));
      expect(run.exitCode).toBe(0);
      expect(run.of('step.finished').map(({ step, status }) => [step, status])).toEqual([
        ['guard', 'done'],
        ['cut-access', 'done'],
        ['drop', 'done'],
        ['verify', 'done'],
        ['tombstone', 'done'],
      ]);
      const [tombstone] = await scene.db.query(
        `SELECT status, deprovisioned_at IS NOT NULL AS is_dated, operation, schema_version, lease_owner FROM tenancy.tenants WHERE id = 'acme'`,
      );
      expect(tombstone).toEqual({ status: 'deprovisioned', is_dated: true, operation: null, schema_version: null, lease_owner: null });
      expect(await scene.db.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tenant_acme'`)).toEqual([]);
      expect(await scene.db.query('SELECT 1 FROM pg_database WHERE datname = $1', [`${scene.db.name}_acme`])).toEqual([]);
      expect(await scene.db.query(`SELECT to_jsonb(t) AS row FROM tenancy.tenants t WHERE id = 'bystander'`)).toEqual(before);

      const again = await scene.json(sure('acme'));
      expect([again.exitCode, again.finished.counts['up-to-date']]).toEqual([0, 1]);
      expect((await scene.ok(['tenant', 'list'])).stdout).not.toContain('acme');
      expect((await scene.ok(['tenant', 'list', '--status', 'deprovisioned'])).stdout).toContain('acme');
      expect((await scene.json(['tenant', 'migrate', 'acme'])).exitCode).toBe(4);

      expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
      expect(await scene.db.query(`SELECT status, incarnation FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([
        { status: 'active', incarnation: 2 },
      ]);
      expect((await scene.json(sure('acme'))).exitCode).toBe(0);
    },
  );

  test('a backup that fails gives access back and leaves the tenant as it was', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      driver: 'postgres-database',
      databaseUrl: db.url,
      configExtra: `hooks: { backup: async (ctx) => { if (process.env.BROKEN) throw new Error('the disk is full'); ctx.log('backed up ' + ctx.tenant.id); } },`,
    }));
    const name = `${scene.db.name}_acme`;
    await scene.ok(['tenant', 'provision', 'acme']);
    const args = ['tenant', 'deprovision', 'acme', '--confirm', 'acme'];
    const failed = await scene.json(args, { env: { BROKEN: '1' } });
    expect(failed.exitCode).toBe(1);
    expect(failed.finished.failed[0]?.error).toMatchObject({
      code: 'TENANCY_HOOK_FAILED',
      hook: 'backup',
      message: expect.stringContaining('the disk is full'),
    });
    expect(failed.of('step.finished').map(({ step, status }) => `${step} ${status}`)).toEqual([
      'guard done',
      'cut-access done',
      'backup failed',
      'restore-access done',
    ]);
    expect(await scene.db.query(`SELECT status, operation FROM tenancy.tenants`)).toEqual([{ status: 'active', operation: null }]);
    expect(await scene.db.query('SELECT datconnlimit, datallowconn FROM pg_database WHERE datname = $1', [name])).toEqual([
      { datconnlimit: -1, datallowconn: true },
    ]);
    expect((await scene.json(['tenant', 'migrate', 'acme', '--force-verify'])).exitCode).toBe(0);

    await scene.ok(['tenant', 'suspend', 'acme']);
    expect((await scene.json(args, { env: { BROKEN: '1' } })).exitCode).toBe(1);
    expect(await scene.db.query(`SELECT status FROM tenancy.tenants`)).toEqual([{ status: 'suspended' }]);
    const done = await scene.json(args);
    expect([done.exitCode, done.of('step.finished').find(({ step }) => step === 'backup')?.status]).toEqual([0, 'done']);
  });

  test('is refused where the drop would reach beyond the tenant, and names what', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.db.query(
      'CREATE VIEW tenant_globex.spy AS SELECT * FROM tenant_acme.accounts; CREATE TABLE tenant_globex.child (id bigint REFERENCES tenant_acme.accounts)',
    );
    const planned = await scene.json(['tenant', 'deprovision', 'acme', '--skip-backup', '--dry-run']);
    expect(
      planned
        .of('run.warned')
        .map(({ message }) => message)
        .join('\n'),
    ).toMatch(/spy[^]*child|child[^]*spy/);
    const refused = await scene.json(sure('acme'));
    expect(refused.exitCode).toBe(4);
    expect(refused.finished.failed[0]?.error?.message).toMatch(/tenant_globex\.spy/);
    expect(refused.finished.failed[0]?.error?.message).toMatch(/tenant_globex\.child|child/);
    expect(await scene.db.query(`SELECT status FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([{ status: 'active' }]);
    await scene.db.query('DROP VIEW tenant_globex.spy; DROP TABLE tenant_globex.child');
    expect((await scene.json(sure('acme'))).exitCode).toBe(0);
  });

  test('is refused where the home lost its marker, and finishes where the home is gone already', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'gone']);
    await scene.db.query('COMMENT ON SCHEMA tenant_acme IS NULL; DROP SCHEMA tenant_gone CASCADE');
    const refused = await scene.json(sure('acme'));
    expect([refused.exitCode, refused.finished.failed[0]?.error?.message]).toEqual([4, expect.stringContaining('marker')]);
    expect(await scene.db.query(`SELECT status FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([{ status: 'active' }]);
    expect((await scene.json(sure('gone'))).exitCode).toBe(0);
  });

  test('continues where a drop hook failed, and cuts access only once', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `hooks: {
        beforeDrop: () => { if (process.env.BROKEN) throw new TypeError('no bucket'); },
        drop: async (ctx) => { await ctx.driver.drop(); },
        afterDrop: () => {},
      },`,
    }));
    await scene.ok(['tenant', 'provision', 'acme']);
    const failed = await scene.json(sure('acme'), { env: { BROKEN: '1' } });
    expect(failed.exitCode).toBe(1);
    expect(failed.finished.failed[0]?.error).toMatchObject({
      hook: 'drop',
      message: expect.stringMatching(/beforeDrop hook failed: no bucket/),
    });
    expect(await scene.db.query(`SELECT status FROM tenancy.tenants`)).toEqual([{ status: 'failed' }]);
    const refused = await scene.json(['tenant', 'provision', 'acme']);
    expect([refused.exitCode, refused.finished.failed[0]?.error?.hint]).toEqual([
      4,
      expect.stringContaining('tenancy tenant deprovision acme'),
    ]);
    expect((await scene.json(sure('acme'))).exitCode).toBe(0);
    expect(await scene.db.query(`SELECT status FROM tenancy.tenants`)).toEqual([{ status: 'deprovisioned' }]);
  });
});
