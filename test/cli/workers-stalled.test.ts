import { describe, expect, test } from 'vitest';
import { createGated, ids, node } from './gated-workers.js';
import { readJsonRun } from './scene.js';

describe.skipIf(node === null)('a worker that stood still', { timeout: 170_000 }, () => {
  test('and wakes up after others have its slots begins nothing in them, and what was in flight in them counts no more', async (scope) => {
    const scene = await createGated(scope, 2);
    const first = await scene.on(['worker']);
    await first.hasSaid('waiting for runs');
    const follower = await scene.on(['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json']);
    await scene.gate.waiting(2);
    first.kill('SIGSTOP');
    const second = await scene.on(['worker', '--verbose']);
    // The two that the first one has begun, once more: their leases are over before its slots are.
    await second.hasSaid('started on main', 2);
    first.kill('SIGCONT');
    await first.hasSaid('the queue has given a place on main to another worker', 2);
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 8, failed: 0, cancelled: 0 })]);
    // Its own two, and what the second one did; nothing came from the first after it woke up.
    expect(scene.gate.arrivals.slice(2).sort()).toEqual(ids);
    second.kill('SIGTERM');
    expect((await second.result).stderr.match(/started on main/g)).toHaveLength(8);
  });
});
