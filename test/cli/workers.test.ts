import { describe, expect, test } from 'vitest';
import { createTestMysql } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { createGated, ids, node } from './gated-workers.js';
import { createScene, readJsonRun, type Scene } from './scene.js';

const countGated = async ({ db }: Scene): Promise<number> => (await db.query(`SELECT 1 FROM pg_tables WHERE tablename = 'gated'`)).length;

const newestRun = async ({ db }: Scene): Promise<Record<string, unknown>> => {
  const [row] = await db.query('SELECT id, status, exit_code, end_reason, counts FROM tenancy.runs ORDER BY sequence DESC LIMIT 1');
  return row ?? {};
};

describe.skipIf(node === null)('workers', { timeout: 170_000 }, () => {
  test('share a run, keep the cap of its cluster together, and tell the same as one process', async (scope) => {
    const scene = await createGated(scope, 3);
    const workers = [
      await scene.on(['worker', '--json', '--concurrency', '2']),
      await scene.on(['worker', '--json', '--concurrency', '2']),
    ];
    for (const worker of workers) await worker.hasSaid('waiting for runs on main');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(3);
    for (const _ of ids) {
      await scene.gate.waiting(1);
      expect(scene.gate.blockedCount).toBeLessThanOrEqual(3);
      scene.gate.openForOne();
    }
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied, scene.gate.peak]).toEqual([0, 8, 3]);
    expect(run.of('run.started')).toMatchObject([{ selected: 8, target: '0002_gated', clusters: { main: { tenants: 8, cap: 3 } } }]);
    expect(
      run
        .of('tenant.finished')
        .map(({ tenant, outcome }) => `${tenant} ${outcome}`)
        .sort(),
    ).toEqual(ids.map((id) => `${id} applied`).sort());
    expect(await countGated(scene)).toBe(8);
    expect(await newestRun(scene)).toMatchObject({ status: 'finished', exit_code: 0 });
    for (const worker of workers) worker.kill('SIGTERM');
    const ended = await Promise.all(workers.map(({ result }) => result));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    for (const { stdout } of ended) expect(stdout).toContain('"tenant.finished"');
    expect(await scene.db.query('SELECT id FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).toEqual([]);
  });

  test('count a tenant that was removed before its turn as skipped', async (scope) => {
    const scene = await createGated(scope, 1);
    const worker = await scene.on(['worker']);
    await worker.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(1);
    await scene.ok(['tenant', 'deprovision', 't8', '--confirm', 't8', '--skip-backup']);
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 7, skipped: 1, 'up-to-date': 0 })]);
    worker.kill('SIGTERM');
    await worker.result;
  });

  test('take over what one that was killed had in flight, once', async (scope) => {
    const scene = await createGated(scope, 2);
    const workers = [await scene.on(['worker', '--concurrency', '1']), await scene.on(['worker', '--concurrency', '1'])];
    for (const worker of workers) await worker.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(2);
    workers[0]?.kill('SIGKILL');
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 8, failed: 0, 'not-started': 0 })]);
    expect(await countGated(scene)).toBe(8);
    const twice = `SELECT tenant FROM tenancy.events WHERE type = 'tenant.settled' AND data ->> 'outcome' = 'applied' GROUP BY tenant HAVING count(*) > 2`;
    expect(await scene.db.query(twice)).toEqual([]);
  });

  test('never run a tenant twice whose slot the queue took for lost, nor more tenants at once than the cap', async (scope) => {
    const scene = await createGated(scope, 1);
    const first = await scene.on(['worker']);
    await first.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(1);
    const second = await scene.on(['worker', '--verbose']);
    await second.hasSaid('waiting for runs');
    // As it does with one whose heartbeat is overdue, or that has expired.
    await scene.db.query(`UPDATE tenancy_queue.job SET state = 'retry', start_after = now() WHERE state = 'active'`);
    await first.hasSaid('the queue has given a place on main to another worker');
    // It has the slot, and lets the other end what it had begun there.
    await second.hasSaid('waiting for that');
    expect(scene.gate.arrivals).toHaveLength(1);
    scene.gate.openForOne();
    await second.hasSaid('started on main');
    await scene.gate.waiting(1);
    for (let turn = 0; turn < 7; turn += 1) {
      await scene.gate.waiting(1);
      scene.gate.openForOne();
    }
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 8]);
    expect(scene.gate.peak).toBe(1);
    expect([...scene.gate.arrivals].sort()).toEqual(ids);
    second.kill('SIGTERM');
    // All but the first were the second's: whoever has lost its slot begins nothing more, and doesn't end the slot of the other.
    expect((await second.result).stderr.match(/started on main/g)).toHaveLength(7);
  });

  test('that are told to end finish what they have in flight, and leave the rest to others', async (scope) => {
    const scene = await createGated(scope, 1);
    const first = await scene.on(['worker']);
    await first.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(1);
    const second = await scene.on(['worker']);
    await second.hasSaid('waiting for runs');
    first.kill('SIGTERM');
    await scene.gate.open();
    expect((await first.result).exitCode).toBe(0);
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 8]);
    expect(scene.gate.arrivals).toHaveLength(8);
    second.kill('SIGTERM');
    const { stderr } = await second.result;
    expect(stderr).toContain('migrated, 0001_accounts → 0002_gated');
  });

  test('tell the end of a tenant that one of them gave up, and not that it did', async (scope) => {
    const scene = await createGated(scope, 1);
    const first = await scene.on(['worker', '--json']);
    await first.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(1);
    first.kill('SIGTERM');
    await first.hasSaid('"type":"run.draining","reason":"terminated"');
    await first.killAgain('SIGTERM');
    expect((await first.result).stdout).toContain('"outcome":"cancelled"');
    await scene.on(['worker']);
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 8, cancelled: 0 })]);
    expect(run.of('tenant.finished').map(({ outcome }) => outcome)).toEqual(ids.map(() => 'applied'));
  });

  test('refuse a tenant by name that is not in use, as one process does', async (scope) => {
    const scene = await createGated(scope, 1);
    await scene.gate.open();
    await scene.db.query(`UPDATE tenancy.tenants SET status = 'failed' WHERE id = 't1'`);
    await scene.on(['worker']);
    const follower = await scene.on(['tenant', 'migrate', 't1', 't2', '--executor', 'pg-boss', '--json']);
    const run = readJsonRun(await follower.result);
    const alone = await scene.json(['tenant', 'migrate', 't1', 't2']);
    expect(run.finished.counts).toMatchObject({ applied: 1, failed: 1, 'up-to-date': 0 });
    expect([run.exitCode, run.finished.failed[0]?.error?.code]).toEqual([alone.exitCode, alone.finished.failed[0]?.error?.code]);
  });

  test('do all the others first, and wait for whom another command has for as long as one process would', async (scope) => {
    const scene = await createGated(scope, 2);
    const holder = await scene.on(['tenant', 'migrate', 't1']);
    await scene.gate.waiting(1);
    const worker = await scene.on(['worker', '--json']);
    await worker.hasSaid('waiting for runs');
    const all = ['tenant', 'migrate', '--all', '--lease-wait', '1s'] as const;
    const follower = await scene.on([...all, '--executor', 'pg-boss', '--json']);
    for (const _ of ids.slice(1)) {
      await scene.gate.waiting(2);
      scene.gate.openForOne({ except: 't1' });
    }
    const run = readJsonRun(await follower.result);
    expect(run.finished.counts).toMatchObject({ applied: 7, failed: 1 });
    expect(run.of('run.warned')).toEqual([]);
    const alone = await scene.json(all);
    const why = ({ finished }: typeof run): unknown => finished.failed.map(({ tenant, error }) => [tenant, error?.code, error?.message]);
    expect(why(alone)).toEqual([['t1', 'TENANCY_LOCK_HELD', expect.stringContaining('another process')]]);
    expect(why(run)).toEqual(why(alone));
    expect(run.exitCode).toBe(alone.exitCode);
    await scene.gate.open();
    expect((await holder.result).exitCode).toBe(0);
    worker.kill('SIGTERM');
    // Told once, however often it was looked.
    expect((await worker.result).stdout.match(/"TENANCY_LOCK_HELD"/g)).toHaveLength(1);
  });

  test('go on where a Ctrl-C ends the one who follows, and can be followed again', async (scope) => {
    const scene = await createGated(scope, 2);
    const worker = await scene.on(['worker']);
    await worker.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--output', 'plain']);
    await scene.gate.waiting(2);
    follower.kill('SIGINT');
    const left = await follower.result;
    expect(left.exitCode).toBe(130);
    expect(left.stderr).toMatch(/its workers go on with it\n.*tenancy run follow \S+. comes back to it/);
    const again = await scene.on(['run', 'follow', 'last', '--json']);
    await again.hasSaid('"run.started"');
    await scene.gate.open();
    const run = readJsonRun(await again.result);
    expect(run.of('run.started')).toMatchObject([{ target: '0002_gated', concurrency: 2 }]);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 8]);
    expect((await scene.run(['run', 'follow', 'last'])).stderr).toMatch(/can't be followed: it has ended/);
  });

  test('hold while the run is paused, and end it where it is cancelled', async (scope) => {
    const scene = await createGated(scope, 2);
    const workers = [await scene.on(['worker', '--concurrency', '1']), await scene.on(['worker', '--concurrency', '1'])];
    for (const worker of workers) await worker.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(2);
    await scene.ok(['run', 'pause', 'last']);
    await follower.hasSaid('"run.paused"');
    for (const worker of workers) await worker.hasSaid('paused by');
    await scene.gate.open();
    await follower.hasSaid('"tenant.finished"', 2);
    expect(await scene.db.query('SELECT id FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).toEqual([]);
    expect(scene.gate.arrivals).toHaveLength(2);
    await scene.ok(['run', 'cancel', 'last']);
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([130, expect.objectContaining({ applied: 2, 'not-started': 6 })]);
    expect(run.finished.stopped).toMatchObject({ reason: 'cancelled', notStarted: 6 });
    const retried = await scene.json(['run', 'retry', 'last']);
    expect([retried.exitCode, retried.finished.counts.applied]).toEqual([0, 6]);
  });

  test('leave a run alone that was begun with other migrations, and who follows is told that nobody works on it', async (scope) => {
    const scene = await createGated(scope, 2);
    await scene.write('migrations/0003_newer.sql', 'CREATE TABLE newer (id int);\n');
    const other = await scene.on(['worker']);
    await other.hasSaid('waiting for runs');
    const { rm } = await import('node:fs/promises');
    await rm(`${scene.directory}/migrations/0003_newer.sql`);
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await follower.hasSaid('TENANCY_WORKERS_MISSING');
    const joined = await scene.on(['run', 'follow', 'last', '--json']);
    await joined.hasSaid('up to 0002_gated');
    joined.kill('SIGINT');
    expect((await joined.result).exitCode).toBe(130);
    expect(scene.gate.arrivals).toEqual([]);
    const late = await scene.on(['worker']);
    await scene.gate.waiting(2);
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 8]);
    late.kill('SIGINT');
    expect((await late.result).exitCode).toBe(0);
    const told = await scene.on(['worker', '--until-idle']);
    expect((await told.result).exitCode).toBe(0);
  });

  test('stop starting tenants, all of them, where too many have failed', async (scope) => {
    const scene = await createGated(scope, 1);
    for (const id of ['t1', 't2']) await scene.db.query(`CREATE TABLE tenant_${id}.gated (id int)`);
    await scene.gate.open();
    const worker = await scene.on(['worker']);
    await worker.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--max-failures', '1', '--json']);
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([1, expect.objectContaining({ failed: 2, applied: 0, 'not-started': 6 })]);
    expect(run.finished.stopped).toMatchObject({ reason: 'max-failures' });
    expect(run.finished.failed.map(({ tenant }) => tenant)).toEqual(['t1', 't2']);
  });

  test('are not for waves, nor for plans that were saved', async (scope) => {
    const scene = await createGated(scope, 1);
    const waves = await scene.json(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--canary', '1'], { node: node ?? '' });
    expect(waves.finished).toMatchObject({
      exitCode: 2,
      error: { code: 'TENANCY_EXECUTOR_REFUSED', message: expect.stringContaining('waves') },
    });
    await scene.ok(['tenant', 'migrate', '--all', '--dry-run', '--save', 'plan.json']);
    const planned = await scene.json(['tenant', 'migrate', '--plan', 'plan.json', '--executor', 'pg-boss']);
    expect(planned.finished).toMatchObject({
      exitCode: 2,
      error: {
        code: 'TENANCY_EXECUTOR_REFUSED',
        message: expect.stringContaining('a plan'),
        hint: expect.stringContaining('--executor local'),
      },
    });
    expect(scene.gate.arrivals).toEqual([]);
    const wrong = await scene.json(['tenant', 'migrate', '--all', '--executor', 'cron']);
    expect(wrong.finished).toMatchObject({ exitCode: 2, error: { message: '--executor: expected local or pg-boss, got "cron"' } });
  });
});

test.skipIf(node === process.execPath)(
  'workers are refused on a Node.js that pg-boss does not run on, with the ways out',
  async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_more.sql', 'CREATE TABLE more (id int);\n');
    for (const args of [['tenant', 'migrate', '--all', '--executor', 'pg-boss'], ['worker']]) {
      const { exitCode, stderr } = await scene.run(args);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 2,
        stderr: expect.stringMatching(/pg-boss needs Node\.js 22\.12 or newer, and this is v.*\n.*--shard i\/n/),
      });
    }
  },
);

describeOn('mariadb', () => {
  test.skipIf(node === null)('workers are refused where the registry is not on PostgreSQL', async (scope) => {
    const mysql = await createTestMysql();
    scope.onTestFinished(() => mysql.drop());
    const scene = await createScene(scope, { registryUrl: mysql.url });
    await scene.ok(['tenant', 'provision', 'acme']);
    const { exitCode, stderr } = await scene.run(['worker'], { node: node ?? '' });
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(/registry, which has to be on PostgreSQL/) });
  });
});
