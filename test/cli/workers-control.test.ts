import { describe, expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { createGated, node } from './gated-workers.js';
import { readJsonRun } from './scene.js';

const HAND_OUT = ['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json'] as const;

describe.skipIf(node === null)('a run that was handed to workers', { timeout: 170_000 }, () => {
  test('is held from the first moment by one who joins it while it is paused, and who follows tells how far it is', async (scope) => {
    const scene = await createGated(scope, 2);
    const follower = await scene.on(HAND_OUT);
    await follower.hasSaid('"run.started"');
    await until(async () => (await scene.run(['run', 'pause', 'last'])).exitCode === 0, 'the run to be there');
    await follower.hasSaid('"run.paused"');
    const worker = await scene.on(['worker', '--verbose']);
    await worker.hasSaid('paused by');
    expect(scene.gate.arrivals).toEqual([]);
    await scene.ok(['run', 'resume', 'last']);
    await follower.hasSaid('"run.resumed"');
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 8]);
    expect(run.of('run.paused')).toMatchObject([{ inFlight: 0, notStarted: 8 }]);
    // The worker may have begun two of them by the time that the one who follows hears of it.
    const resumed = run.of('run.resumed');
    expect(resumed.map(({ ms, notStarted }) => ms > 0 && notStarted >= 6 && notStarted <= 8)).toEqual([true]);
  });

  test('is ended by a cancel where no worker has come, followed or not, and workers that come later drop it', async (scope) => {
    const scene = await createGated(scope, 2);
    const followed = await scene.on(HAND_OUT);
    await followed.hasSaid('TENANCY_WORKERS_MISSING');
    await scene.ok(['run', 'cancel', 'last']);
    const run = readJsonRun(await followed.result);
    expect([run.exitCode, run.finished.counts]).toEqual([130, expect.objectContaining({ applied: 0, 'up-to-date': 0, 'not-started': 8 })]);
    expect(run.finished.stopped).toMatchObject({ reason: 'cancelled', notStarted: 8 });
    expect(run.of('run.draining')).toMatchObject([{ reason: 'cancelled', inFlight: 0, notStarted: 8 }]);
    const left = await scene.on(HAND_OUT);
    await left.hasSaid('TENANCY_WORKERS_MISSING');
    left.kill('SIGINT');
    expect((await left.result).exitCode).toBe(130);
    // As of one that nobody has looked after for longer than a lease.
    await scene.db.query(`UPDATE tenancy.runs SET alive_until = now() - interval '1 minute'`);
    await scene.ok(['run', 'cancel', 'last']);
    expect(await scene.db.query(`SELECT end_reason, not_started, exit_code FROM tenancy.runs WHERE command = 'migrate'`)).toEqual([
      { end_reason: 'cancelled', not_started: 8, exit_code: 130 },
      { end_reason: 'cancelled', not_started: 8, exit_code: 130 },
    ]);
    const worker = await scene.on(['worker', '--until-idle']);
    expect((await worker.result).exitCode).toBe(0);
    expect(scene.gate.arrivals).toEqual([]);
  });

  test('is left alone by workers once somebody goes on with it without them', async (scope) => {
    const scene = await createGated(scope, 1);
    const followed = await scene.on(HAND_OUT);
    await followed.hasSaid('TENANCY_WORKERS_MISSING');
    followed.kill('SIGINT');
    await followed.result;
    await scene.db.query(`UPDATE tenancy.runs SET alive_until = now() - interval '1 minute'`);
    const resumed = await scene.on(['run', 'resume', 'last', '--json']);
    await scene.gate.waiting(1);
    const worker = await scene.on(['worker', '--until-idle']);
    expect((await worker.result).exitCode).toBe(0);
    expect(scene.gate.arrivals).toHaveLength(1);
    // Its slots are used up.
    expect(await scene.db.query(`SELECT state FROM tenancy_queue.job WHERE name LIKE 'migrate-%'`)).toEqual([{ state: 'completed' }]);
    await scene.gate.open();
    const run = readJsonRun(await resumed.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 8]);
  });

  test('with nothing to do is none: no queue is made for it', async (scope) => {
    const scene = await createGated(scope, 1);
    await scene.gate.open();
    await scene.ok(['tenant', 'migrate', '--all']);
    await scene.ok(HAND_OUT);
    expect(await scene.db.query(`SELECT FROM pg_namespace WHERE nspname = 'tenancy_queue'`)).toEqual([]);
  });

  test('refuses a pg-boss that is half installed, or of another kind, with what to type', async (scope) => {
    const scene = await createGated(scope, 1);
    await scene.write('node_modules/pg-boss/package.json', '{ "name": "pg-boss", "type": "module", "exports": "./index.js" }\n');
    for (const [text, said] of [
      [
        `import 'is-not-here';\n`,
        /^.*pg-boss is at .* and can't be loaded: Cannot find package 'is-not-here'.*\n.*npm install pg-boss@12\.27\.0/,
      ],
      ['export default class PgBoss {}\n', /^.*is of a version that is not known here\n.*npm install pg-boss@12\.27\.0/],
    ] as const) {
      await scene.write('node_modules/pg-boss/index.js', text);
      const { exitCode, stderr } = await scene.run(['worker'], { node: node ?? '' });
      expect([exitCode, stderr]).toEqual([2, expect.stringMatching(said)]);
    }
  });

  test('refuses waves of the config with what takes them back', async (scope) => {
    const scene = await createGated(scope, 1);
    const waves = await scene.json(HAND_OUT.slice(0, -1), { env: { TENANCY_WAVES: '50%' } });
    expect(waves.finished).toMatchObject({ exitCode: 2, error: { hint: expect.stringContaining('--waves none') } });
  });
});
