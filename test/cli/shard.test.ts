import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { positionOf } from '../../src/fleet/waves.js';
import { isInShard, type Shard } from '../../src/util/shard.js';
import { assertDocument, assertPlan } from '../rig/events-schema.js';
import { createScene, type JsonRun, type Scene } from './scene.js';

const IDS = Array.from({ length: 12 }, (_, index) => `t${index}`);
const inShard = (index: number, of: number): readonly string[] => IDS.filter((id) => isInShard(id, { index, of })).sort();
const planned = (run: JsonRun): readonly string[] =>
  run
    .of('tenant.planned')
    .map(({ tenant }) => tenant)
    .sort();
const shardOf = (run: JsonRun): Shard | undefined => run.of('run.started')[0]?.shard;

async function createFleet(scope: Parameters<typeof createScene>[0]): Promise<Scene> {
  const scene = await createScene(scope, { migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n' } });
  await scene.ok(['tenant', 'provision', ...IDS.slice(0, 6), '--label', 'plan=pro']);
  await scene.ok(['tenant', 'provision', ...IDS.slice(6)]);
  await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
  return scene;
}

describe.concurrent('--shard', () => {
  test('takes its part of any selection, and all parts are the whole', async (scope) => {
    const scene = await createFleet(scope);
    const seen: string[] = [];
    for (const index of [1, 2, 3]) {
      const run = await scene.json(['tenant', 'migrate', '--all', '--shard', `${index}/3`, '--dry-run']);
      expect([run.exitCode, shardOf(run), planned(run)]).toEqual([0, { index, of: 3 }, inShard(index, 3)]);
      expect(run.of('run.started')[0]?.selected).toBe(inShard(index, 3).length);
      seen.push(...planned(run));
    }
    expect(seen.sort()).toEqual([...IDS].sort());
    const pro = await scene.json(['tenant', 'migrate', '--label', 'plan=pro', '--shard', '2/3', '--dry-run']);
    expect(planned(pro)).toEqual(inShard(2, 3).filter((id) => IDS.indexOf(id) < 6));
    const named = await scene.json(['tenant', 'migrate', '-', '--shard', '2/3', '--dry-run'], { input: IDS.slice(3).join('\n') });
    expect(planned(named)).toEqual(inShard(2, 3).filter((id) => IDS.indexOf(id) >= 3));
    const listed = await scene.ok(['tenant', 'list', '--shard', '3/3', '--json']);
    const { tenants } = assertDocument<{ tenants: readonly { id: string }[] }>('tenantList', listed.stdout);
    expect(tenants.map(({ id }) => id).sort()).toEqual(inShard(3, 3));

    const words = await scene.run(['tenant', 'migrate', '--all', '--shard', '1/3']);
    expect([words.exitCode, words.stderr]).toEqual([0, expect.stringContaining('only shard 1/3')]);
    expect(await readMigrated(scene)).toEqual(inShard(1, 3));
    const done = await scene.json(['tenant', 'migrate', '--all', '--shard', '1/3']);
    expect(done.finished.counts).toMatchObject({ applied: 0, 'up-to-date': inShard(1, 3).length });
  });

  test('is refused where it is none, or stands alone, in one sentence', async (scope) => {
    const scene = await createFleet(scope);
    for (const raw of ['0/4', '5/4', 'x', '1/', '1/0']) {
      const { exitCode, stderr, stdout } = await scene.run(['tenant', 'migrate', '--all', '--shard', raw]);
      expect([raw, exitCode, stdout, stderr.trim().split('\n').length]).toEqual([raw, 2, '', 1]);
      expect(stderr).toContain('--shard');
      expect((await scene.run(['tenant', 'list', '--shard', raw])).exitCode).toBe(2);
    }
    const alone = await scene.json(['tenant', 'migrate', '--shard', '1/2']);
    expect([alone.exitCode, alone.finished.error?.code]).toEqual([2, 'TENANCY_SELECTION_MISSING']);
    expect(await readMigrated(scene)).toEqual([]);
  });

  test('that nobody is in has nothing to do', async (scope) => {
    const scene = await createFleet(scope);
    const empty = Array.from({ length: 99 }, (_, index) => index + 1).find((index) => inShard(index, 99).length === 0) ?? 0;
    const run = await scene.json(['tenant', 'migrate', '--all', '--shard', `${empty}/99`]);
    expect([run.exitCode, run.of('run.started')[0]?.selected, run.of('tenant.finished')]).toEqual([0, 0, []]);
    expect((await scene.ok(['tenant', 'migrate', '--all', '--shard', `${empty}/99`])).stdout).toContain('no tenants to migrate');
  });

  test('is kept in a plan, which is carried out as that shard', async (scope) => {
    const scene = await createFleet(scope);
    await scene.ok(['tenant', 'migrate', '--all', '--shard', '2/3', '--dry-run', '--save', 'plan.json']);
    const plan = assertPlan(await readFile(path.join(scene.directory, 'plan.json'), 'utf8'));
    expect([plan.selection['shard'], plan.selected]).toEqual([{ index: 2, of: 3 }, inShard(2, 3).length]);
    const both = await scene.json(['tenant', 'migrate', '--plan', 'plan.json', '--shard', '2/3']);
    expect([both.exitCode, both.finished.error?.message]).toEqual([2, expect.stringContaining('leave out --shard')]);
    const run = await scene.json(['tenant', 'migrate', '--plan', 'plan.json']);
    // Nobody of another shard is mentioned as left out of the plan.
    expect([run.exitCode, shardOf(run), run.of('run.warned')]).toEqual([0, { index: 2, of: 3 }, []]);
    expect(await readMigrated(scene)).toEqual(inShard(2, 3));
  });

  test('has waves of its own, and what is taken up of it later is of that shard', async (scope) => {
    const scene = await createFleet(scope);
    const mine = [...inShard(1, 2)].sort((a, b) => positionOf(a) - positionOf(b));
    const [canary = ''] = mine;
    await scene.write(
      'migrations/0002_b.sql',
      `DO $$ BEGIN IF current_schema() = 'tenant_${canary}' THEN RAISE EXCEPTION 'no'; END IF; END $$;`,
    );
    const run = await scene.json(['tenant', 'migrate', '--all', '--shard', '1/2', '--canary', '1']);
    expect([run.exitCode, run.of('run.started')[0]?.waves]).toEqual([1, [1, mine.length - 1]]);
    expect(run.of('tenant.started').map(({ tenant }) => tenant)).toEqual([canary]);
    expect(run.finished.counts).toMatchObject({ failed: 1, 'not-started': mine.length - 1 });
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
    const failed = await scene.json(['tenant', 'migrate', '--failed', '--shard', '2/2', '--dry-run']);
    expect(planned(failed)).toEqual([]);
    const retried = await scene.json(['run', 'retry', 'last']);
    expect([retried.exitCode, shardOf(retried), retried.finished.counts.applied]).toEqual([0, { index: 1, of: 2 }, mine.length]);
    expect(await readMigrated(scene)).toEqual(inShard(1, 2));
  });
});

async function readMigrated({ db }: Scene): Promise<readonly string[]> {
  const rows = await db.query<{ id: string }>(`SELECT id FROM tenancy.tenants WHERE schema_version = '0002_b'`);
  return rows.map(({ id }) => id).sort();
}
