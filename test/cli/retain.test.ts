import { describe, expect, test } from 'vitest';
import { createScene, type Scene } from './scene.js';

const retain = (id: string, time = '30d', ...more: string[]): string[] => [
  'tenant',
  'deprovision',
  id,
  '--retain',
  time,
  '--skip-backup',
  '--confirm',
  id,
  ...more,
];

async function statusOf(scene: Scene, id: string): Promise<unknown> {
  const [row] = await scene.db.query('SELECT status FROM tenancy.tenants WHERE id = $1', [id]);
  return row?.['status'];
}

describe.concurrent('a retained tenant', () => {
  test.for(['postgres-schema', 'postgres-database'] as const)(
    'of %s is kept, comes back whole, and is purged when its time is over',
    async (driver, scope) => {
      const scene = await createScene(scope, { driver });
      const home = driver === 'postgres-schema' ? 'tenant_acme' : `${scene.db.name}_acme`;
      await scene.ok(['tenant', 'provision', 'acme', 'bystander']);
      const kept = await scene.json(retain('acme'));
      expect([kept.exitCode, kept.finished.command]).toEqual([0, 'retain']);
      expect(kept.of('step.finished').map(({ step, status }) => `${step} ${status}`)).toEqual([
        'guard done',
        'cut-access done',
        'retain done',
      ]);
      expect(kept.of('step.finished').at(-1)?.detail).toMatch(/; kept until \d{4}-/);
      const days = `SELECT round(extract(epoch FROM retained_until - updated_at) / 86400)::int AS days FROM tenancy.tenants WHERE id = 'acme'`;
      expect(await scene.db.query(days)).toEqual([{ days: 30 }]);
      const listed = (await scene.ok(['tenant', 'list', '--status', 'retained'])).stdout;
      expect(listed).toMatch(/acme +retained until \d{4}-\d\d-\d\d/);
      expect((await scene.ok(['status'])).stdout).toMatch(/1 +retained/);
      const { tenant } = JSON.parse((await scene.ok(['tenant', 'show', 'acme', '--json'])).stdout) as { tenant: Record<string, unknown> };
      expect(tenant).toMatchObject({ status: 'retained', retentionOver: false, retainedUntil: expect.stringMatching(/^\d{4}-/) });

      // Said again, it stays as it was.
      const again = await scene.json(retain('acme', '60d'));
      expect([again.exitCode, again.finished.counts['up-to-date']]).toEqual([0, 1]);
      expect(await scene.db.query(days)).toEqual([{ days: 30 }]);

      const back = await scene.json(['tenant', 'undelete', 'acme']);
      expect([back.exitCode, back.finished.counts.applied]).toEqual([0, 1]);
      expect((await scene.json(['tenant', 'undelete', 'acme'])).finished.counts['up-to-date']).toBe(1);
      expect(await scene.db.query(`SELECT status, operation, retained_until FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([
        { status: 'active', operation: null, retained_until: null },
      ]);
      expect((await scene.json(['tenant', 'migrate', 'acme', '--force-verify'])).exitCode).toBe(0);

      await scene.ok(retain('acme', '1ms'));
      expect((await scene.ok(['tenant', 'list', '--status', 'retained'])).stdout).toContain('(over)');
      const planned = await scene.json(['tenant', 'purge', 'acme', '--dry-run']);
      expect([planned.exitCode, planned.of('tenant.planned')[0]?.steps]).toEqual([0, ['guard', 'drop', 'verify', 'tombstone']]);
      const purged = await scene.json(['tenant', 'purge', 'acme', '--confirm', 'acme']);
      expect([purged.exitCode, purged.finished.command]).toEqual([0, 'purge']);
      expect(await scene.db.query(`SELECT status, operation, retained_until FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([
        { status: 'deprovisioned', operation: null, retained_until: null },
      ]);
      const left = `SELECT nspname AS name FROM pg_namespace WHERE nspname = $1 OR nspname ~ '^tenancy_retained'
                  UNION ALL SELECT datname FROM pg_database WHERE datname = $1`;
      expect(await scene.db.query(left, [home])).toEqual([]);
      expect((await scene.json(['tenant', 'purge', 'acme', '--confirm', 'acme'])).finished.counts['up-to-date']).toBe(1);
      await scene.ok(['tenant', 'provision', 'acme']);
      expect(await statusOf(scene, 'bystander')).toBe('active');
    },
  );

  test.for(['postgres-schema', 'postgres-database'] as const)(
    'of %s that the registry has forgotten, put back from an older backup, is retained again, brought back, or removed',
    async (driver, scope) => {
      const scene = await createScene(scope, { driver });
      await scene.ok(['tenant', 'provision', 'acme', 'globex']);
      for (const id of ['acme', 'globex']) await scene.ok(retain(id));
      await scene.db.query("UPDATE tenancy.tenants SET status = 'active', operation = NULL, retained_until = NULL");

      const found = await scene.run(['tenant', 'verify', 'acme', '--exit-code']);
      expect([found.exitCode, found.stdout]).toEqual([3, expect.stringContaining('`tenancy tenant deprovision acme --retain 30d`')]);
      expect((await scene.json(retain('acme'))).finished.counts.applied).toBe(1);
      await scene.ok(['tenant', 'undelete', 'acme']);
      expect(await statusOf(scene, 'acme')).toBe('active');
      await scene.ok(['tenant', 'verify', 'acme', '--exit-code']);

      await scene.ok(['tenant', 'deprovision', 'globex', '--skip-backup', '--confirm', 'globex']);
      expect(await statusOf(scene, 'globex')).toBe('deprovisioned');
      await scene.ok(['tenant', 'verify', '--all', '--exit-code']);
    },
  );

  test.for(['postgres-schema', 'postgres-database'] as const)(
    'of %s that an interrupted undelete has opened is closed again by the command that had closed it, or brought back by the next',
    async (driver, scope) => {
      const scene = await createScene(scope, { driver });
      await scene.ok(['tenant', 'provision', 'acme']);
      await scene.ok(retain('acme'));
      await scene.db.query("CREATE TABLE retained AS SELECT status, operation, retained_until FROM tenancy.tenants WHERE id = 'acme'");
      await scene.ok(['tenant', 'undelete', 'acme']);
      // As it is left by one that was killed right before its last step.
      const interrupt = `UPDATE tenancy.tenants t SET (status, operation, retained_until) = (SELECT status, operation, retained_until FROM retained)`;
      await scene.db.query(interrupt);

      expect((await scene.json(retain('acme'))).finished).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 1 } });
      const [left] = await scene.db.query(
        'SELECT retained_until = (SELECT retained_until FROM retained) AS is_as_before FROM tenancy.tenants',
      );
      expect(left).toEqual({ is_as_before: true });
      await scene.ok(['tenant', 'verify', 'acme', '--exit-code']);
      await scene.ok(['tenant', 'undelete', 'acme']);
      await scene.ok(['tenant', 'verify', 'acme', '--exit-code']);
      expect(await statusOf(scene, 'acme')).toBe('active');
    },
  );

  test('goes back to being suspended, where it came from', async (scope) => {
    const scene = await createScene(scope, { driver: 'postgres-database' });
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.ok(['tenant', 'suspend', 'acme']);
    await scene.ok(retain('acme'));
    await scene.ok(['tenant', 'undelete', 'acme']);
    expect(await statusOf(scene, 'acme')).toBe('suspended');
    await scene.ok(['tenant', 'resume', 'acme']);
    const acl = await scene.db.query(
      `SELECT has_database_privilege('public', datname, 'CONNECT') AS is_open FROM pg_database WHERE datname = $1`,
      [`${scene.db.name}_acme`],
    );
    expect(acl).toEqual([{ is_open: true }]);
  });

  test('is refused by every other command, which says what to type, and is left as it is', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.ok(retain('acme'));
    const before = await scene.db.query(`SELECT status, retained_until, last_error, operation FROM tenancy.tenants WHERE id = 'acme'`);
    for (const args of [
      ['provision', 'acme'],
      ['migrate', 'acme'],
      ['migrate', '--status', 'retained'],
      ['rollback', 'acme', '--to', 'none', '--confirm', '1'],
      ['suspend', 'acme'],
      ['resume', 'acme'],
      ['repair', 'acme'],
      ['rotate', 'acme'],
      ['deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
    ]) {
      const run = await scene.json(['tenant', ...args]);
      expect([args, run.exitCode]).toEqual([args, 4]);
      const error = run.finished.error ?? run.finished.failed[0]?.error;
      expect(`${error?.message} ${error?.hint}`).toMatch(
        /acme is retained[^]*`tenancy tenant undelete acme`[^]*`tenancy tenant purge acme`/,
      );
    }
    const early = await scene.json(['tenant', 'purge', 'acme', '--confirm', 'acme']);
    expect([early.exitCode, early.finished.error?.code]).toEqual([4, 'TENANCY_RETENTION_UNEXPIRED']);
    expect(early.finished.error?.message).toMatch(/retained until \d{4}-\d\d-\d\dT/);
    const all = await scene.json(['tenant', 'migrate', '--all', '--force-verify']);
    expect(all.of('run.started')[0]?.selected).toBe(1);
    expect((await scene.json(['tenant', 'verify', '--all'])).exitCode).toBe(0);
    expect(await scene.db.query(`SELECT status, retained_until, last_error, operation FROM tenancy.tenants WHERE id = 'acme'`)).toEqual(
      before,
    );
    expect((await scene.json(['tenant', 'purge', 'acme', '--early', '--confirm', 'acme'])).exitCode).toBe(0);
  });

  test('keeps its id and its name', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      config: `export default {
        clusters: { main: { url: ${JSON.stringify(db.url)} } },
        placement: () => ({ cluster: 'main', driver: 'postgres-schema', name: 'shared_home' }),
        migrations: { directory: './migrations' },
      };`,
    }));
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.ok(retain('acme'));
    const squatter = await scene.json(['tenant', 'provision', 'globex']);
    expect([squatter.exitCode, squatter.finished.error?.code]).toEqual([4, 'TENANCY_PLACEMENT_TAKEN']);
    expect((await scene.json(['tenant', 'provision', 'ACME'])).finished.error?.code).toBe('TENANCY_ID_TAKEN');
  });

  test('is not made of what was never whole, is gone, or is protected; and is not purged while it is protected', async (scope) => {
    const scene = await createScene(scope, { driver: 'postgres-database' });
    await scene.ok(['tenant', 'provision', 'acme', 'gone']);
    await scene.db.query(`UPDATE tenancy.tenants SET status = 'failed', activated_at = NULL WHERE id = 'gone'`);
    expect((await scene.json(retain('gone'))).finished.failed[0]?.error?.message).toMatch(/never came to be active/);
    await scene.db.query(`UPDATE tenancy.tenants SET status = 'active', activated_at = now(), operation = NULL WHERE id = 'gone'`);
    await scene.db.query(`DROP DATABASE "${scene.db.name}_gone"`);
    const gone = await scene.json(retain('gone'));
    expect([gone.exitCode, gone.finished.failed[0]?.error?.message]).toEqual([4, expect.stringContaining('nothing to retain')]);

    await scene.ok(['tenant', 'protect', 'acme']);
    expect((await scene.json(retain('acme'))).exitCode).toBe(4);
    await scene.ok(['tenant', 'unprotect', 'acme']);
    await scene.ok(retain('acme', '1ms'));
    await scene.ok(['tenant', 'protect', 'acme']);
    const held = await scene.json(['tenant', 'purge', 'acme', '--confirm', 'acme']);
    expect([held.exitCode, held.finished.error?.message]).toEqual([4, 'purge refused: acme is protected']);
    for (const time of ['0', '-1d', '30', 'forever', '4000d'])
      expect([time, (await scene.json(retain('acme', time))).exitCode]).toEqual([time, 2]);
  });

  test("of the config is the default, and none takes it back; the user's hooks run in their places", async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `defaults: { retain: '2w' },
        hooks: {
          backup: async (ctx) => { await ctx.db.query('SELECT count(*) FROM accounts'); ctx.log('backup'); },
          beforeDrop: async (ctx) => { await ctx.db.query('SELECT count(*) FROM accounts'); if (process.env.BROKEN) throw new Error('a bill is open'); },
          drop: async (ctx) => { await ctx.db.query('SELECT count(*) FROM accounts'); await ctx.driver.drop(); },
        },`,
    }));
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    const kept = await scene.json(['tenant', 'deprovision', 'acme', '--confirm', 'acme']);
    expect([kept.exitCode, kept.of('step.finished').map(({ step }) => step)]).toEqual([0, ['guard', 'cut-access', 'backup', 'retain']]);
    const broken = await scene.json(['tenant', 'purge', 'acme', '--early', '--confirm', 'acme'], { env: { BROKEN: '1' } });
    expect([broken.exitCode, await statusOf(scene, 'acme')]).toEqual([1, 'retained']);
    expect(await scene.db.query(`SELECT nspname FROM pg_namespace WHERE nspname = 'tenant_acme'`)).toEqual([]);
    expect((await scene.json(['tenant', 'purge', 'acme', '--early', '--confirm', 'acme'])).exitCode).toBe(0);
    const dropped = await scene.json(['tenant', 'deprovision', 'globex', '--retain', 'none', '--confirm', 'globex']);
    expect([dropped.exitCode, await statusOf(scene, 'globex')]).toEqual([0, 'deprovisioned']);
  });
});
