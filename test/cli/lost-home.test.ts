import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

describe.concurrent('a tenant that was changed behind the tool', () => {
  test('is not started anew when its history was emptied, and is settled by repair', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    const version = (await scene.json(['tenant', 'migrate', 'acme'])).finished.counts['up-to-date'];
    expect(version).toBe(1);
    await scene.db.query('TRUNCATE tenant_acme._tenancy_migrations');
    await scene.write('migrations/0099_more.sql', 'CREATE TABLE more (id bigint);\n');
    const [recorded] = await scene.db.query<{ v: string }>('SELECT schema_version AS v FROM tenancy.tenants');

    for (const args of [
      ['tenant', 'migrate', 'acme'],
      ['tenant', 'migrate', 'acme', '--force-verify'],
      ['tenant', 'migrate', 'acme', '--dry-run', '--force-verify'],
      ['tenant', 'repair', 'acme'],
    ]) {
      const { finished } = await scene.json(args);
      expect([args.join(' '), finished.failed[0]?.error?.code]).toEqual([args.join(' '), 'TENANCY_HISTORY_LOST']);
    }
    expect(await scene.db.query('SELECT schema_version AS v FROM tenancy.tenants')).toEqual([recorded]);

    await scene.ok(['tenant', 'repair', 'acme', '--applied-up-to', recorded?.v ?? '']);
    const after = await scene.json(['tenant', 'migrate', 'acme']);
    expect([after.exitCode, after.of('migration.finished').map(({ migration }) => migration)]).toEqual([0, ['0099_more']]);
  });

  test.for(['postgres-schema', 'postgres-database'] as const)(
    'is called missing when its %s is gone, and deprovision says that there was nothing to drop',
    async (driver, scope) => {
      const scene = await createScene(scope, { driver });
      await scene.ok(['tenant', 'provision', 'acme']);
      const name = driver === 'postgres-schema' ? 'tenant_acme' : `${scene.db.name}_acme`;
      await scene.db.query(driver === 'postgres-schema' ? `DROP SCHEMA ${name} CASCADE` : `DROP DATABASE ${name}`);
      await scene.write('migrations/0099_more.sql', 'CREATE TABLE more (id bigint);\n');
      const migrated = await scene.json(['tenant', 'migrate', 'acme']);
      expect([migrated.exitCode, migrated.finished.failed[0]?.error?.code]).toEqual([1, 'TENANCY_HOME_MISSING']);
      const removed = await scene.json(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme']);
      expect([removed.exitCode, removed.of('run.warned').map(({ code }) => code)]).toEqual([0, ['TENANCY_HOME_MISSING']]);
    },
  );
});

describe.concurrent('a tenant whose operation was interrupted', { timeout: 60_000 }, () => {
  test.for([
    ['provision', 'failed', null, '`tenancy tenant provision acme`'],
    ['restore', 'provisioning', null, '`tenancy tenant restore` that made it'],
    ['restore', 'failed', null, '`tenancy tenant restore` that made it'],
    ['adopt', 'pending', null, '`tenancy registry adopt` again'],
    ['deprovision', 'failed', null, '`tenancy tenant deprovision acme`'],
    ['deprovision', 'failed', '2999-01-01', '`tenancy tenant purge acme`'],
    ['deprovision', 'deprovisioning', '2999-01-01', '`tenancy tenant purge acme`'],
  ] as const)(
    '(%s, %s, retained until %s) is told by verify and migrate alike to finish it, by what is not refused',
    async ([type, status, until, next], scope) => {
      const scene = await createScene(scope);
      await scene.ok(['tenant', 'provision', 'acme']);
      await scene.db.query('UPDATE tenancy.tenants SET status = $1, retained_until = $2, operation = $3', [
        status,
        until,
        JSON.stringify({ id: 'x', type, cameFrom: null }),
      ]);
      const [finding] = (await scene.json(['tenant', 'verify', 'acme'])).of('tenant.finding');
      expect([finding?.code, finding?.repair]).toEqual(['operation-unfinished', expect.stringContaining(next)]);
      await scene.write('migrations/0099_more.sql', 'CREATE TABLE more (id bigint);\n');
      const refused = await scene.json(['tenant', 'migrate', 'acme']);
      expect([refused.exitCode, refused.finished.failed[0]?.error?.hint ?? refused.finished.error?.hint]).toEqual([4, finding?.repair]);
    },
  );
});

describe.concurrent('what the code of the user leaves running', () => {
  test('ends with the tenant, where it is a child that nobody waits for', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `hooks: { seed: async (ctx) => { void ctx.exec('sleep', ['60']); await new Promise((r) => setTimeout(r, 300)); } },`,
    }));
    const startedMs = performance.now();
    await scene.ok(['tenant', 'provision', 'acme']);
    expect(performance.now() - startedMs).toBeLessThan(30_000);
  });

  test('does not keep the command from ending, where it is a timer of the config', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `logs: (setInterval(() => undefined, 1000), '.tenancy/logs'),`,
    }));
    const startedMs = performance.now();
    await scene.ok(['config', 'print']);
    expect(performance.now() - startedMs).toBeLessThan(30_000);
  });
});
