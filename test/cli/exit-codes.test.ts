import { describe, expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { canaryPassword, freePort } from '../rig/private-server.js';
import { createScene, createSceneGate, readJsonRun, writeTwoClusterConfig } from './scene.js';

describe.concurrent('the exit code', () => {
  test('is 5 where the one tenant is locked by a live process, which goes on unharmed', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\n`);
    const holder = await scene.start(['tenant', 'migrate', 'acme', '--json']);
    await gate.waiting();
    const locked = await scene.json(['tenant', 'migrate', 'acme', '--lease-wait', '300ms']);
    expect([locked.exitCode, locked.finished.failed[0]?.error]).toMatchObject([
      5,
      { code: 'TENANCY_LOCK_HELD', retryable: true, hint: expect.stringContaining('run the same command again') },
    ]);
    expect(locked.finished.failed[0]?.attempts).toBe(1);
    for (const args of [
      ['deprovision', 'acme', '--skip-backup', '--confirm', 'acme', '--lease-wait', '0s'],
      ['suspend', 'acme', '--lease-wait', '0s'],
    ]) {
      expect([args[0], (await scene.json(['tenant', ...args])).exitCode]).toEqual([args[0], 5]);
    }
    const shown = await scene.ok(['tenant', 'show', 'acme']);
    expect(shown.stdout).toMatch(/lock|lease|worked on/i);
    const waiting = await scene.start(['tenant', 'migrate', 'acme', '--json', '--lease-wait', '20s']);
    await gate.open();
    expect(readJsonRun(await holder.result).finished.counts.applied).toBe(1);
    expect(readJsonRun(await waiting.result).finished.counts).toMatchObject({ 'up-to-date': 1, failed: 0 });
  });

  test('is 1 where one of a fleet is locked', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write(
      'migrations/0002_gated.sql',
      `DO $$ BEGIN IF current_schema() = 'tenant_acme' THEN PERFORM pg_advisory_xact_lock_shared(${/\((\d+)\)/.exec(gate.sql)?.[1]}); END IF; END $$;\n`,
    );
    const holder = await scene.start(['tenant', 'migrate', 'acme', '--json']);
    await gate.waiting();
    const fleet = await scene.json(['tenant', 'migrate', '--all', '--lease-wait', '100ms']);
    expect([fleet.exitCode, fleet.finished.failed.map(({ tenant }) => tenant), fleet.finished.counts.applied]).toEqual([1, ['acme'], 1]);
    await gate.open();
    expect((await holder.result).exitCode).toBe(0);
  });

  test('a lock that is broken by hand says whose it was, and nothing is done twice', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
    const holder = await scene.start(['tenant', 'migrate', 'acme', '--json']);
    await gate.waiting();
    expect((await scene.ok(['tenant', 'unlock', 'acme'])).stdout).toMatch(/acme is unlocked; the lock was held by .* on .* since/);
    const second = await scene.start(['tenant', 'migrate', 'acme', '--json', '--lock-timeout', '20s']);
    await until(
      async () => (await scene.db.query('SELECT 1 FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).length === 1,
      'the second to take the lock',
    );
    await gate.open();
    await holder.result;
    const run = readJsonRun(await second.result);
    expect([run.exitCode, run.finished.counts.failed]).toEqual([0, 0]);
    expect(await scene.db.query(`SELECT count(*)::int AS times FROM tenant_acme._tenancy_migrations WHERE name = '0002_gated'`)).toEqual([
      { times: 1 },
    ]);
    expect((await scene.ok(['tenant', 'unlock', 'acme'])).stdout).toContain('was not locked');
  });

  test('is 6 where the registry is down, and where the cluster of the one tenant is; 1 in a fleet', async (scope) => {
    const scene = await createScene(scope);
    const port = await freePort();
    const down = `postgres://someone:p4ss-canary@127.0.0.1:${port}/nowhere`;
    await scene.write('tenancy.config.mjs', writeTwoClusterConfig({ url: scene.db.url }, { url: scene.db.url }));
    await scene.ok(['tenant', 'provision', 'one-a', 'two-a']);
    await scene.write('migrations/0002_b.sql', 'SELECT 1;');
    await scene.write('tenancy.config.mjs', writeTwoClusterConfig({ url: scene.db.url }, { url: down }));
    const single = await scene.json(['tenant', 'migrate', 'two-a', '--retries', '1']);
    expect([single.exitCode, single.finished.failed[0]]).toMatchObject([
      6,
      { attempts: 2, error: { code: 'TENANCY_CLUSTER_UNREACHABLE', retryable: true } },
    ]);
    const fleet = await scene.json(['tenant', 'migrate', '--all', '--retries', '0']);
    expect([fleet.exitCode, fleet.finished.counts.applied, fleet.finished.failed]).toMatchObject([
      1,
      1,
      [{ tenant: 'two-a', attempts: 1 }],
    ]);
    await scene.write('tenancy.config.mjs', writeTwoClusterConfig({ url: down }, { url: scene.db.url }));
    for (const args of [
      ['tenant', 'migrate', '--all'],
      ['tenant', 'provision', 'x'],
      ['tenant', 'show', 'one-a'],
      ['status'],
      ['run', 'list'],
      ['tenant', 'deprovision', 'x', '--skip-backup', '--confirm', 'x'],
    ]) {
      const run = await scene.json(args);
      expect([args, run.exitCode, run.finished.error?.code]).toEqual([args, 6, 'TENANCY_REGISTRY_UNREACHABLE']);
      expect(run.stdout + run.stderr).not.toContain('p4ss-canary');
    }
  });

  test('is 6 for whatever asks a cluster that is down outside of a run over tenants, too', async (scope) => {
    const scene = await createScene(scope);
    const down = `postgres://someone:p4ss-canary@127.0.0.1:${await freePort()}/nowhere`;
    const config = (url: string): string => `export default {
      registry: { url: '${scene.db.url}' },
      clusters: { main: { url: '${url}', pool: { driver: 'postgres-schema', size: 1 } } },
      placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
      migrations: { directory: './migrations' },
      backups: { directory: './backups' },
    };`;
    await scene.write('tenancy.config.mjs', config(scene.db.url));
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('tenancy.config.mjs', config(down));
    for (const args of [
      ['tenant', 'provision', 'acme'],
      ['tenant', 'deprovision', 'acme', '--dry-run'],
      ['tenant', 'show', 'acme', '--reveal-url'],
      ['registry', 'adopt', '--pattern', 'old_{id}', '--confirm', '0'],
      ['pool', 'status'],
      ['pool', 'fill'],
      ['doctor'],
    ]) {
      const run = await scene.run(args);
      expect([args, run.exitCode]).toEqual([args, 6]);
      expect(run.stdout + run.stderr).toMatch(/cluster main at \S+ can't be reached: connect ECONNREFUSED/);
      expect(run.stdout + run.stderr).not.toMatch(/p4ss-canary|bug in tenancy/);
    }
  });

  test('is 4 where a cluster refuses what it is asked outside of a run, and it says which right is missing', async (scope) => {
    const scene = await createScene(scope);
    const role = `${scene.db.name}_few`;
    await scene.db.query(`CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'`);
    await scene.db.query('REVOKE SELECT ON pg_catalog.pg_namespace FROM PUBLIC');
    await scene.ok(['registry', 'init']);
    const url = new URL(scene.db.url);
    url.username = role;
    await scene.write('tenancy.config.mjs', writeTwoClusterConfig({ url: scene.db.url }, { url: url.href }));
    const refused = await scene.json(['registry', 'adopt', '--pattern', 'old_{id}', '--cluster', 'two', '--confirm', '0']);
    expect([refused.exitCode, refused.finished.error]).toMatchObject([
      4,
      {
        code: 'TENANCY_CLUSTER_REFUSED',
        message: expect.stringMatching(/^cluster two at \S+ refused what it was asked: permission denied for table pg_namespace$/),
        hint: expect.stringContaining('tenancy doctor'),
      },
    ]);
  });

  test('is 2 where there is no registry, for whatever does not make one, and it says where it looked', async (scope) => {
    const scene = await createScene(scope);
    const port = new URL(scene.db.url).port;
    for (const args of [
      ['tenant', 'migrate', '--all'],
      ['tenant', 'rollback', '--all', '--to', 'none'],
      ['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
      ['tenant', 'list'],
      ['tenant', 'show', 'acme'],
      ['tenant', 'suspend', 'acme'],
      ['tenant', 'unlock', 'acme'],
      ['tenant', 'protect', 'acme'],
      ['status'],
      ['run', 'list'],
      ['run', 'show', 'last'],
      ['run', 'retry', 'last'],
      ['registry', 'adopt', '--pattern', 'tenant_{id}', '--dry-run'],
    ]) {
      const run = await scene.json(args);
      expect([args, run.exitCode, run.finished.error?.code]).toEqual([args, 2, 'TENANCY_REGISTRY_NOT_FOUND']);
      expect(run.finished.error?.message).toContain(`127.0.0.1:${port}/${scene.db.name}`);
    }
    expect(await scene.db.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tenancy'`)).toEqual([]);
    await scene.ok(['registry', 'init']);
    const empty = await scene.json(['tenant', 'migrate', '--all']);
    expect([empty.exitCode, empty.of('run.started')[0]?.selected]).toEqual([0, 0]);
    expect((await scene.ok(['registry', 'init'])).stdout).toContain('ready');
  });

  test('is 4 where another server answers to the name of a cluster, until that is accepted', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_b.sql', 'SELECT 1;');
    await scene.db.query(`UPDATE tenancy.clusters SET identity = '7000000000000000001'`);
    for (const args of [
      ['migrate', 'acme'],
      ['migrate', '--all'],
      ['provision', 'acme2'],
      ['migrate', 'acme', '--dry-run', '--force-verify'],
      ['deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
      ['suspend', 'acme'],
    ]) {
      const run = await scene.json(['tenant', ...args]);
      const error = run.finished.error ?? run.finished.failed[0]?.error;
      expect([args, run.exitCode, error?.code]).toEqual([args, 4, 'TENANCY_CLUSTER_CHANGED']);
      expect(error?.hint).toContain('--accept-cluster main');
    }
    expect((await scene.json(['tenant', 'migrate', 'acme', '--accept-cluster', 'other'])).exitCode).toBe(4);
    expect((await scene.json(['tenant', 'migrate', 'acme', '--accept-cluster', 'main'])).exitCode).toBe(0);
    expect((await scene.json(['tenant', 'provision', 'acme2'])).exitCode).toBe(0);
  });

  test('is 2 for a wrong config, which under --json ends in run.finished too', async (scope) => {
    const scene = await createScene(scope);
    await scene.write(
      'tenancy.config.mjs',
      `export default { clusters: { main: { url: 'mysql:/nope', concurency: 3 } }, placement: () => ({}) };`,
    );
    for (const args of [['tenant', 'migrate', '--all'], ['tenant', 'list'], ['status'], ['config', 'print']]) {
      const run = await scene.json(args);
      expect([args, run.exitCode, run.events.length]).toEqual([args, 2, 1]);
      expect(run.finished.error?.message).toContain('clusters.main');
    }
    const missing = await scene.json(['tenant', 'list', '--config', 'nowhere.ts']);
    expect([missing.exitCode, missing.finished.error?.message]).toEqual([2, expect.stringContaining('nowhere.ts')]);
  });
});
