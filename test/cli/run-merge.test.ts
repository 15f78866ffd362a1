import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RunMergeDocument } from '../../src/reporters/documents/merge-document.js';
import { isInShard } from '../../src/util/shard.js';
import { runCli } from '../rig/cli.js';
import { assertDocument, assertEvents } from '../rig/events-schema.js';
import { until } from '../rig/gate.js';
import { readJunit } from '../rig/junit.js';
import { createScene, createSceneGate, type Scene } from './scene.js';

const IDS = Array.from({ length: 12 }, (_, index) => `t${index}`);
const inShard = (index: number): readonly string[] => IDS.filter((id) => isInShard(id, { index, of: 3 }));
const broken = [inShard(1)[0] ?? '', inShard(3)[0] ?? ''];
const failing = `DO $$ BEGIN IF current_schema() IN (${broken.map((id) => `'tenant_${id}'`).join(', ')}) THEN RAISE EXCEPTION 'a < b'; END IF; END $$;\n`;

async function createFleet(scope: Parameters<typeof createScene>[0]): Promise<Scene> {
  const scene = await createScene(scope, { migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n' } });
  await scene.ok(['tenant', 'provision', ...IDS]);
  return scene;
}

describe.concurrent('run merge', () => {
  test('makes one report of shards that ran at the same time, anywhere', async (scope) => {
    const scene = await createFleet(scope);
    await scene.write('migrations/0002_b.sql', failing);
    const runs = await Promise.all([1, 2, 3].map((index) => scene.json(['tenant', 'migrate', '--all', '--shard', `${index}/3`])));
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([1, 0, 1]);
    for (const [index, { stdout }] of runs.entries()) await scene.write(`elsewhere/${index + 1}.ndjson`, stdout);
    const [, second] = runs;

    // No config is above that folder, and no server is asked.
    const folder = await mkdtemp(path.join(tmpdir(), 'merge-'));
    scope.onTestFinished(() => rm(folder, { recursive: true }));
    const files = [3, 1, 2].map((index) => path.join(scene.directory, 'elsewhere', `${index}.ndjson`));
    const merge = (...args: readonly string[]) => runCli(['run', 'merge', ...args], { cwd: folder, input: second?.stdout ?? '' });
    const asJson = await merge(files[0] ?? '', files[1] ?? '', '-', '--json', '--junit', 'merged.xml');
    const document = assertDocument<RunMergeDocument>('runMerge', asJson.stdout);
    expect([asJson.exitCode, asJson.stderr, document]).toMatchObject([
      1,
      '',
      { command: 'migrate', target: '0002_b', shards: 3, selected: 12 },
    ]);
    expect(document).toMatchObject({ counts: { applied: 10, failed: 2 }, unaccounted: 0, problems: [], exitCode: 1 });
    expect(document.failed.map(({ tenant }) => tenant)).toEqual([...broken].sort());
    expect(document.reports.map(({ source, shard }) => [shard?.index, source])).toEqual([
      [1, files[1]],
      [2, 'stdin'],
      [3, files[0]],
    ]);

    const { name, suites } = await readJunit(path.join(folder, 'merged.xml'));
    expect([name, suites.map((suite) => [suite.name, suite.testcases.length])]).toEqual(['tenancy migrate', [['main', 12]]]);
    const failures = suites[0]?.testcases.filter(({ result }) => result === 'failure') ?? [];
    expect([failures.map((each) => each.name).sort(), failures[0]?.classname]).toEqual([[...broken].sort(), 'tenancy.migrate.main']);

    const words = await merge(...files);
    expect([words.exitCode, words.stderr]).toEqual([1, '']);
    expect(words.stdout).toMatch(/10 migrated, 2 failed of 12 tenants in 3 runs/);
    expect(words.stdout).toContain('a < b');
    for (const run of [runs[0], runs[2]]) expect(words.stdout).toContain(`tenancy run retry ${run?.events[0]?.run}`);

    const two = await merge(...files.slice(0, 2));
    expect([two.exitCode, two.stderr]).toEqual([4, '✖ there is no report of shard 2/3\n']);
    expect(two.stdout).toMatch(/2 failed of \d+ tenants in 2 runs/);
  });

  test('says which shard was killed, and shows the others', async (scope) => {
    const scene = await createFleet(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.write('migrations/0002_gated.sql', `SELECT 1;\n`);
    const one = await scene.json(['tenant', 'migrate', '--all', '--shard', '1/3']);
    const three = await scene.json(['tenant', 'migrate', '--all', '--shard', '3/3']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\n`);
    const cli = await scene.start(['tenant', 'migrate', '--all', '--shard', '2/3', '--concurrency', '1', '--json']);
    let said = '';
    cli.stdout.on('data', (chunk) => (said += String(chunk)));
    await gate.waiting(1);
    await until(() => said.includes('"run.started"'), 'the run to begin');
    cli.kill('SIGKILL');
    const killed = await cli.result;
    expect(killed.exitCode).toBe(137);
    await gate.open();

    await scene.write('1.ndjson', one.stdout);
    await scene.write('2.ndjson', killed.stdout);
    await scene.write('3.ndjson', three.stdout);
    const merged = await scene.run(['run', 'merge', '1.ndjson', '2.ndjson', '3.ndjson', '--json', '--junit', 'junit.xml']);
    const document = assertDocument<RunMergeDocument>('runMerge', merged.stdout);
    const others = inShard(1).length + inShard(3).length;
    expect([merged.exitCode, document.counts.applied, document.counts['up-to-date'] + document.unaccounted]).toEqual([
      4,
      others,
      inShard(2).length,
    ]);
    expect(document.problems).toMatchObject([{ source: '2.ndjson' }]);
    expect(merged.stderr).toMatch(/^✖ 2\.ndjson: shard 2\/3, run \S+, has no end/);
    // As if its process had been silent for longer than a lease, by the registry's clock.
    await scene.db.query(`UPDATE tenancy.runs SET alive_until = clock_timestamp() - interval '1 s' WHERE status = 'running';
      UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE lease_owner IS NOT NULL`);
    const resumed = await scene.json(['run', 'resume', document.reports[1]?.run ?? '']);
    await scene.write('resumed.ndjson', resumed.stdout);
    const whole = await scene.run(['run', 'merge', '1.ndjson', 'resumed.ndjson', '3.ndjson', '--json']);
    const mended = assertDocument<RunMergeDocument>('runMerge', whole.stdout);
    // What was in flight at the kill was finished by the server, or is done now.
    const done = mended.counts.applied + mended.counts['up-to-date'];
    expect([whole.exitCode, done, mended.unaccounted, mended.problems]).toEqual([0, IDS.length, 0, []]);
    const [, run] = (await readJunit(path.join(scene.directory, 'junit.xml'))).suites;
    expect(run?.testcases).toMatchObject([{ result: 'error', type: 'TENANCY_REPORTS_INCOMPLETE' }]);
  });

  test('refuses what is no report, or does not belong together, in one sentence', async (scope) => {
    const scene = await createFleet(scope);
    const run = await scene.json(['tenant', 'migrate', '--all']);
    await scene.write('a.ndjson', run.stdout);
    await scene.write('words.txt', 'everything is fine\n');
    const refuse = async (...args: readonly string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await scene.run(['run', 'merge', ...args]);
      expect([exitCode, stdout]).toEqual([2, '']);
      return stderr.split('\n')[0] ?? '';
    };
    expect(await refuse('a.ndjson', 'b.ndjson')).toBe('✖ b.ndjson is no report of a run: it is not there');
    expect(await refuse('migrations')).toMatch(/^✖ migrations is no report of a run: it can't be read/);
    expect(await refuse('words.txt')).toMatch(/was not written with --json/);
    expect(await refuse('a.ndjson', 'a.ndjson')).toMatch(/a\.ndjson and a\.ndjson are of the same run/);
    expect(await refuse('-', '-')).toMatch(/can be read only once/);
    expect((await scene.run(['run', 'merge'])).exitCode).toBe(2);
    const asJson = await scene.run(['run', 'merge', 'words.txt', '--json']);
    expect(assertEvents(asJson.stdout)).toMatchObject([{ type: 'run.finished', exitCode: 2, error: { code: 'TENANCY_REPORT_REJECTED' } }]);
  });

  test('takes in a shard that had nothing to do, or never came to a run', async (scope) => {
    const scene = await createFleet(scope);
    await scene.write('1.ndjson', (await scene.json(['tenant', 'migrate', '--all', '--shard', '1/2'])).stdout);
    const lost = await scene.run(['tenant', 'migrate', '--all', '--shard', '2/2', '--json', '--config', 'nowhere.mjs']);
    await scene.write('2.ndjson', lost.stdout);
    const merged = await scene.run(['run', 'merge', '1.ndjson', '2.ndjson', '--json']);
    const document = assertDocument<RunMergeDocument>('runMerge', merged.stdout);
    expect([merged.exitCode, document.problems, document.reports[1]?.error?.code]).toEqual([
      2,
      [],
      expect.stringMatching(/^TENANCY_CONFIG/),
    ]);
    await scene.write('2.ndjson', (await scene.json(['tenant', 'migrate', '--all', '--shard', '2/2'])).stdout);
    const whole = await scene.ok(['run', 'merge', '1.ndjson', '2.ndjson']);
    expect(whole.stdout).toMatch(/✔ 12 up to date of 12 tenants in 2 runs/);
  });
});
