import { describe, expect, test } from 'vitest';
import { isInShard } from '../../src/util/shard.js';
import { createScene, type Scene } from './scene.js';

const one = { '0001_a.sql': 'CREATE TABLE a (id int);\n' };

/** A migration that fails for whoever is broken, and is the same file for all. */
const FRAGILE = `DO $$ BEGIN
  IF current_setting('rig.broken', true) LIKE '%,' || current_schema() || ',%' THEN RAISE EXCEPTION 'broken'; END IF;
END $$;\n`;

/** From now on migrations fail for these, and for nobody else. */
async function breakTenants({ db }: Scene, ...ids: readonly string[]): Promise<void> {
  await db.query(`ALTER DATABASE ${db.name} SET rig.broken = ',${ids.map((id) => `tenant_${id},`).join('')}'`);
}

describe.concurrent('--failed', () => {
  test('selects who failed in the last run of the command that failed any, says which, and is an intersection', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    await scene.ok(['tenant', 'provision', 't1', 't2', '--label', 'plan=pro']);
    await scene.ok(['tenant', 'provision', 't3', 't4', 't5']);
    await scene.write('migrations/0002_b.sql', FRAGILE);
    await breakTenants(scene, 't1', 't2', 't3');
    const first = await scene.json(['tenant', 'migrate', 't1', 't2', 't3', 't4']);
    expect([first.exitCode, first.finished.counts]).toEqual([1, expect.objectContaining({ failed: 3, applied: 1 })]);
    const failedIn = [first.events[0]?.run];
    const who = async (...args: readonly string[]): Promise<readonly unknown[]> => {
      const run = await scene.json(['tenant', 'migrate', ...args, '--dry-run']);
      const planned = run.of('tenant.planned').map(({ tenant }) => tenant);
      return [run.exitCode, run.of('run.started')[0]?.failedIn, run.of('run.started')[0]?.selected, planned.sort()];
    };
    expect(await who('--failed')).toEqual([0, failedIn, 3, ['t1', 't2', 't3']]);
    expect(await who('--all')).toEqual([0, undefined, 5, ['t1', 't2', 't3', 't5']]);
    // Another command's runs say nothing of this one, and neither does a run in which nobody failed.
    await scene.ok(['tenant', 'provision', 't6']);
    expect((await scene.json(['tenant', 'migrate', 't5'])).finished.counts.applied).toBe(1);
    expect(await who('--failed', '--label', 'plan=pro')).toEqual([0, failedIn, 2, ['t1', 't2']]);
    expect(await who('t2', 't4', '--failed')).toEqual([0, failedIn, 1, ['t2']]);
    expect(await who('--failed', '--all', '--exclude', 't1')).toEqual([0, failedIn, 2, ['t2', 't3']]);
    await scene.ok(['tenant', 'suspend', 't3']);
    expect(await who('--failed', '--status', 'suspended')).toEqual([0, failedIn, 1, ['t3']]);
    const refused = await scene.json(['tenant', 'migrate', 't1', 't9', '--failed']);
    expect([refused.exitCode, refused.finished.error?.code]).toEqual([2, 'TENANCY_TENANT_NOT_FOUND']);

    await breakTenants(scene, 't2');
    const dry = await scene.run(['tenant', 'migrate', '--failed', '--dry-run']);
    expect(dry.stderr).toContain(`only those that failed in ${failedIn[0]}`);
    const again = await scene.json(['tenant', 'migrate', '--failed']);
    expect([again.exitCode, again.finished.counts]).toEqual([1, expect.objectContaining({ applied: 2, failed: 1, 'not-started': 0 })]);
    const second = [again.events[0]?.run];
    expect(await who('--failed')).toEqual([0, second, 1, ['t2']]);
    await breakTenants(scene);
    const last = await scene.run(['tenant', 'migrate', '--failed']);
    expect([last.exitCode, last.stderr]).toEqual([0, expect.stringContaining(`only those that failed in ${second[0]}`)]);
    expect(await who('--failed')).toEqual([0, second, 1, []]);
  });

  test('takes the shards of a deploy for one run, and of one shard asks that shard', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    const ids = Array.from({ length: 12 }, (_, index) => `t${index}`);
    await scene.ok(['tenant', 'provision', ...ids]);
    const inShard = (index: number): readonly string[] => ids.filter((id) => isInShard(id, { index, of: 3 }));
    const firsts = [1, 2, 3].map((index) => inShard(index)[0] ?? '');
    const migrate = (...args: readonly string[]) => scene.json(['tenant', 'migrate', '--all', ...args]);
    const who = async (...args: readonly string[]): Promise<readonly unknown[]> => {
      const run = await scene.json(['tenant', 'migrate', '--failed', ...args, '--dry-run']);
      return [
        run.of('run.started')[0]?.failedIn,
        run
          .of('tenant.planned')
          .map(({ tenant }) => tenant)
          .sort(),
      ];
    };
    // Of the deploy before, which had another target: not looked at any more.
    await scene.write('migrations/0002_b.sql', FRAGILE);
    await breakTenants(scene, ...ids.slice(0, 6));
    await migrate('--shard', '2/3');
    await breakTenants(scene);
    await migrate();
    await scene.write('migrations/0003_c.sql', FRAGILE);
    await breakTenants(scene, ...firsts);
    const run = async (index: number) => (await migrate('--shard', `${index}/3`)).events[0]?.run;
    const [first, third] = [await run(1), await run(3)];
    expect(await who()).toEqual([[third, first], [firsts[0], firsts[2]].sort()]);
    const second = await run(2);
    expect(await who()).toEqual([[second, third, first], [...firsts].sort()]);
    expect(await who('--shard', '2/3')).toEqual([[second], [firsts[1]]]);
    // What has been mended since has nothing to do.
    await breakTenants(scene, firsts[0] ?? '', firsts[2] ?? '');
    expect((await scene.json(['run', 'retry', second ?? ''])).exitCode).toBe(0);
    expect(await who()).toEqual([[second, third, first], [firsts[0], firsts[2]].sort()]);
    expect(await who('--shard', '2/3')).toEqual([[second], []]);
    await breakTenants(scene);
    const mended = await scene.json(['tenant', 'migrate', '--failed']);
    expect([mended.exitCode, mended.finished.counts.applied]).toEqual([0, 2]);
  });

  test('selects nobody where no run failed anybody, says so, and ends well', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
    const run = await scene.json(['tenant', 'migrate', '--failed']);
    expect([run.exitCode, run.of('run.started')[0]]).toMatchObject([0, { selected: 0, failedIn: [] }]);
    const words = await scene.run(['tenant', 'migrate', '--failed', '--all']);
    expect([words.exitCode, words.stdout, words.stderr]).toEqual([
      0,
      expect.stringContaining('no tenants to migrate'),
      expect.stringContaining('nobody is selected: no run to migrate on record has failed a tenant'),
    ]);
    expect(await scene.db.query('SELECT schema_version FROM tenancy.tenants')).toEqual([{ schema_version: '0001_a' }]);
  });

  test('takes in a run that was killed, by the outcomes that it had written', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_b.sql', FRAGILE);
    await breakTenants(scene, 'acme');
    expect((await scene.json(['tenant', 'migrate', '--all'])).exitCode).toBe(1);
    // What a SIGKILL between the outcomes and the end of the run leaves.
    await scene.db.query(`UPDATE tenancy.runs SET counts = NULL, exit_code = NULL, finished_at = NULL, not_started = NULL,
      status = 'running', alive_until = clock_timestamp() - interval '1 s' WHERE command = 'migrate'`);
    const run = await scene.json(['tenant', 'migrate', '--failed', '--dry-run']);
    expect(run.of('tenant.planned').map(({ tenant }) => tenant)).toEqual(['acme']);
    await scene.db.query(`UPDATE tenancy.runs SET alive_until = clock_timestamp() + interval '1 h' WHERE command = 'migrate'`);
    // One that goes on hasn't said its last.
    expect((await scene.json(['tenant', 'migrate', '--failed', '--dry-run'])).of('run.started')[0]?.failedIn).toEqual([]);
  });
});
