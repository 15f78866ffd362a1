import { describe, expect, test } from 'vitest';
import { createGatedOnTwo, node, writeGated } from './gated-workers.js';
import { readJsonRun } from './scene.js';

const HAND_OUT = ['tenant', 'migrate', '--all', '--executor', 'pg-boss', '--json'] as const;
const tenants = ['one1', 'one2', 'one3', 'two1', 'two2', 'two3'];

describe.skipIf(node === null)('the places of a run that was handed to workers', { timeout: 120_000 }, () => {
  test('go on to the next cluster where there are fewer of them than clusters, and never more at once', async (scope) => {
    const scene = await createGatedOnTwo(scope, tenants, 2);
    const workers = [await scene.on(['worker', '--until-idle']), await scene.on(['worker', '--until-idle'])];
    const follower = await scene.on([...HAND_OUT, '--concurrency', '1']);
    for (const _ of tenants) {
      await scene.gate.waiting(1);
      scene.gate.openForOne();
    }
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied, scene.gate.peak]).toEqual([0, 6, 1]);
    expect([...scene.gate.arrivals].sort()).toEqual(tenants);
    expect((await Promise.all(workers.map(({ result }) => result))).map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  });

  test('go where there is more to do once a cluster is done, up to its cap', async (scope) => {
    const scene = await createGatedOnTwo(scope, ['one1', 'two1', 'two2', 'two3', 'two4'], 2);
    const worker = await scene.on(['worker']);
    await worker.hasSaid('waiting for runs');
    const follower = await scene.on([...HAND_OUT, '--concurrency', '2']);
    await scene.gate.waiting(2);
    expect([...scene.gate.arrivals].sort()).toEqual(['one1', 'two1']);
    // Whichever it is: with both of them done, the place that `one` had is the second one of `two`.
    for (const _ of [1, 2]) scene.gate.openForOne();
    await scene.gate.waiting(2);
    expect([...scene.gate.arrivals].sort()).toEqual(['one1', 'two1', 'two2', 'two3']);
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts.applied, scene.gate.peak]).toEqual([0, 5, 2]);
  });

  test('come back for a tenant that is behind on a cluster where there was nothing to do', async (scope) => {
    const scene = await createGatedOnTwo(scope, tenants, 2);
    const worker = await scene.on(['worker']);
    await worker.hasSaid('waiting for runs');
    // As if those of `two` had been migrated before.
    const gated = await scene.on(['tenant', 'migrate', 'two1', 'two2', 'two3', '--json']);
    await scene.gate.waiting(2);
    for (const _ of [1, 2, 3]) {
      await scene.gate.waiting(1);
      scene.gate.openForOne();
    }
    expect(readJsonRun(await gated.result).exitCode).toBe(0);
    const follower = await scene.on(HAND_OUT);
    await scene.gate.waiting(2);
    // And code with older files has brought one of them along meanwhile, as far as the registry knows.
    await scene.db.query(`UPDATE tenancy.tenants SET schema_version = '0001_accounts', migrations_hash = 'older' WHERE id = 'two2'`);
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 3, 'up-to-date': 3 })]);
    expect(await scene.db.query(`SELECT schema_version FROM tenancy.tenants WHERE id = 'two2'`)).toEqual([
      { schema_version: '0002_gated' },
    ]);
  });

  test('stay where they are, all of them, once a server has no room', async (scope) => {
    const scene = await createGatedOnTwo(scope, tenants, 1);
    const full = `DO $$ BEGIN RAISE 'no space left on device' USING ERRCODE = '53100'; END $$`;
    await scene.write('migrations/0002_gated.mjs', writeGated(scene.gate, `tenant === 'one1' ? "${full}" : 'CREATE TABLE gated (id int)'`));
    await scene.on(['worker', '--cluster', 'one']);
    const follower = await scene.on(HAND_OUT);
    await scene.gate.waiting(1);
    const other = await scene.on(['worker', '--cluster', 'two']);
    await scene.gate.waiting(2);
    expect(scene.gate.arrivals).toEqual(['one1', 'two1']);
    scene.gate.openForOne();
    await follower.hasSaid('"run.draining"');
    await other.hasSaid('a server is out of disk');
    await scene.gate.open();
    const run = readJsonRun(await follower.result);
    expect([run.exitCode, run.finished.counts]).toEqual([1, expect.objectContaining({ applied: 1, failed: 1, 'not-started': 4 })]);
    expect(run.finished.stopped).toMatchObject({ reason: 'resources' });
    expect(run.of('run.draining')).toMatchObject([{ reason: 'resources' }]);
    expect(scene.gate.arrivals).toEqual(['one1', 'two1']);
  });
});
