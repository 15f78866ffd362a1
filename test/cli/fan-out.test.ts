import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { createProcessGate, until } from '../rig/gate.js';
import { createTestDatabase } from '../rig/postgres.js';
import { createScene, createSceneGate, readJsonRun, writeTwoClusterConfig } from './scene.js';

const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

describe.concurrent('the fan-out', () => {
  test('never has more in flight than a cluster or the run allows, and a busy cluster holds up no other', async (scope) => {
    const [slow, quick] = [await createProcessGate(), await createProcessGate()];
    const other = await createTestDatabase();
    scope.onTestFinished(async () => {
      await Promise.all([slow.open(), quick.open()]);
      await other.drop();
    });
    const scene = await createScene(scope);
    const hook = `hooks: { beforeMigrate: async ({ tenant }) => { await (tenant.cluster === 'one' ? ${slow.expression('one')} : ${quick.expression('two')}); } },`;
    await scene.write(
      'tenancy.config.mjs',
      writeTwoClusterConfig({ url: scene.db.url, concurrency: 3 }, { url: other.url, concurrency: 2 }, hook),
    );
    const cli = await scene.start(['tenant', 'provision', ...ids('one', 6), ...ids('two', 5), '--json']);
    await Promise.all([slow.waiting(3), quick.waiting(2)]);
    for (const gate of [quick, slow]) {
      const count = gate === quick ? 5 : 6;
      for (let passed = 1; passed <= count; passed += 1) {
        gate.openForOne();
        await gate.waiting(Math.min(gate.peak, count - passed));
      }
      expect(gate.arrivals).toHaveLength(count);
    }
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts.applied, slow.peak, quick.peak]).toEqual([0, 11, 3, 2]);
    expect(run.of('run.started')[0]).toMatchObject({
      concurrency: 5,
      clusters: { one: { tenants: 6, cap: 3 }, two: { tenants: 5, cap: 2 } },
    });
  });

  test.for([
    ['a flag', ['--concurrency', '2'], {}, 2],
    ['a variable', [], { TENANCY_CONCURRENCY: '2' }, 2],
    ['a flag before a variable', ['--concurrency', '1'], { TENANCY_CONCURRENCY: '2' }, 1],
    ['the config', [], {}, 3],
    ['a flag never beyond the cluster', ['--concurrency', '50'], {}, 4],
  ] as const)('takes its cap from %s', async ([, flags, env, expected], scope) => {
    const scene = await createScene(scope, (db) => ({ databaseUrl: db.url, concurrency: 4, configExtra: 'defaults: { concurrency: 3 },' }));
    const run = await scene.json(['tenant', 'provision', 'a', 'b', 'c', ...flags], { env });
    expect(run.of('run.started')[0]?.concurrency).toBe(expected);
  });

  test('stops starting tenants once too many have failed, and says which were never started', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': 'SELECT 1;' } });
    await scene.ok(['tenant', 'provision', ...ids('t', 6)]);
    await scene.write('migrations/0002_broken.sql', 'SELECT nonsense;\n');
    const counts = async (...args: string[]): Promise<readonly unknown[]> => {
      const run = await scene.json(['tenant', 'migrate', '--all', '--concurrency', '1', ...args]);
      const { failed, 'not-started': notStarted, applied } = run.finished.counts;
      return [run.exitCode, failed, notStarted, applied, run.of('run.draining').map(({ reason }) => reason)];
    };
    expect(await counts('--max-failures', '0')).toEqual([1, 1, 5, 0, ['max-failures']]);
    expect(await counts('--max-failures', '2')).toEqual([1, 3, 3, 0, ['max-failures']]);
    expect(await counts('--max-failures', '20%')).toEqual([1, 2, 4, 0, ['max-failures']]);
    const shown = await scene.ok(['run', 'show', 'last']);
    expect(shown.stdout).toMatch(/2 failed/);
    expect(shown.stdout).toMatch(/4 not started/);
    await scene.write('migrations/0002_broken.sql', 'SELECT 1;\n');
    const retried = await scene.json(['run', 'retry', 'last']);
    expect([retried.exitCode, retried.finished.counts.applied, retried.of('run.started')[0]?.selected]).toEqual([0, 6, 6]);
    const nothing = await scene.json(['run', 'retry', 'last']);
    expect([nothing.exitCode, nothing.of('run.started')[0]?.selected ?? 0]).toEqual([0, 0]);
  });

  test('tries again what lost to a lock, and not what can never work', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': 'CREATE TABLE a (id int);' } });
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_b.sql', 'ALTER TABLE a ADD COLUMN b int;\n');
    const other = new Client({ connectionString: scene.db.url });
    await other.connect();
    try {
      await other.query('BEGIN; LOCK TABLE tenant_acme.a');
      const failed = await scene.json(['tenant', 'migrate', '--all', '--lock-timeout', '50ms', '--retries', '0']);
      expect([failed.exitCode, failed.finished.counts.applied, failed.finished.failed]).toMatchObject([
        1,
        1,
        [{ tenant: 'acme', attempts: 1, error: { retryable: true } }],
      ]);
      expect(failed.finished.failed[0]?.error).toMatchObject({
        code: 'TENANCY_LOCK_TIMED_OUT',
        hint: expect.stringContaining('--lock-timeout'),
      });
      const cli = await scene.start(['tenant', 'migrate', 'acme', '--lock-timeout', '50ms', '--retries', '8', '--json']);
      let said = '';
      cli.stdout.on('data', (chunk) => (said += String(chunk)));
      await until(() => said.includes('tenant.retried'), 'a retry');
      await other.query('ROLLBACK');
      const run = readJsonRun(await cli.result);
      expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 1]);
      expect(run.of('tenant.retried')[0]).toMatchObject({
        tenant: 'acme',
        attempt: 2,
        error: { retryable: true, code: 'TENANCY_LOCK_TIMED_OUT' },
      });
      expect(run.of('tenant.finished')[0]?.attempts).toBeGreaterThan(1);
    } finally {
      await other.end();
    }
    await scene.write('migrations/0003_never.sql', 'SELECT nonsense;\n');
    const never = await scene.json(['tenant', 'migrate', 'acme']);
    expect([never.of('tenant.retried'), never.finished.failed[0]]).toMatchObject([[], { attempts: 1, error: { retryable: false } }]);
  });

  test.for(['40001', '40P01', 'XX000'])('tries again after %s from the server', async (code, scope) => {
    const message = code === 'XX000' ? 'tuple concurrently updated' : 'injected';
    const scene = await createScene(scope);
    await scene.db.query('CREATE SEQUENCE public.attempts');
    await scene.write(
      'tenancy.config.mjs',
      `export default {
      clusters: { main: { url: ${JSON.stringify(scene.db.url)} } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
      hooks: { migrate: async (ctx) => { await ctx.db.query("DO $$ BEGIN IF nextval('public.attempts') < 3 THEN RAISE EXCEPTION '${message}' USING ERRCODE = '${code}'; END IF; END $$"); } },
    };`,
    );
    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect([run.exitCode, run.of('tenant.retried').map(({ attempt }) => attempt), run.of('tenant.finished')[0]?.attempts]).toEqual([
      0,
      [2, 3],
      3,
    ]);
    for (const { delayMs, attempt } of run.of('tenant.retried')) {
      expect(delayMs).toBeGreaterThanOrEqual(100 * 2 ** (attempt - 2));
      expect(delayMs).toBeLessThanOrEqual(200 * 2 ** (attempt - 2));
    }
  });

  test('ends a tenant at its --timeout, and a statement at --statement-timeout, each named', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\n`);
    const slow = await scene.json(['tenant', 'migrate', 'acme', '--timeout', '700ms']);
    expect([slow.exitCode, slow.finished.failed[0]]).toMatchObject([
      1,
      { outcome: 'failed', attempts: 1, error: { code: 'TENANCY_TIMEOUT_REACHED', message: expect.stringContaining('--timeout (0.7 s)') } },
    ]);
    const statement = await scene.json(['tenant', 'migrate', 'acme', '--statement-timeout', '200ms', '--lock-timeout', '30s']);
    expect([statement.exitCode, statement.finished.failed[0]?.attempts]).toEqual([1, 1]);
    expect(statement.finished.failed[0]?.error).toMatchObject({
      code: 'TENANCY_STATEMENT_TIMED_OUT',
      hint: expect.stringContaining('--statement-timeout'),
    });
    await until(
      async () =>
        (await scene.db.query(`SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'tenancy%'`, [scene.db.name]))
          .length === 0,
      'its sessions to end',
    );
    await gate.open();
    expect((await scene.json(['tenant', 'migrate', 'acme'])).exitCode).toBe(0);
  });
});
