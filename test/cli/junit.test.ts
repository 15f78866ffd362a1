import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProcessGate, until } from '../rig/gate.js';
import { readJunit } from '../rig/junit.js';
import { createScene, createSceneGate, readJsonRun, type Scene, writeTwoClusterConfig } from './scene.js';

const one = { '0001_a.sql': 'CREATE TABLE a (id int);\n' };
const read = (scene: Scene, file = 'junit.xml') => readJunit(path.join(scene.directory, file));
/** No draft and no half of a report is left beside it. */
const listReports = async (scene: Scene): Promise<readonly string[]> =>
  (await readdir(scene.directory)).filter((name) => name.includes('junit'));

describe.concurrent('--junit', () => {
  test('writes a suite for each cluster, and leaves stdout and the exit code what they were', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      migrations: one,
      config: writeTwoClusterConfig({ url: db.url, concurrency: 2 }, { url: db.url, concurrency: 2 }),
    }));
    await scene.ok(['tenant', 'provision', 'one1', 'one2', 'two1', 'two2', '--junit', 'junit.xml']);
    const provisioned = await read(scene);
    expect([provisioned.name, provisioned.suites.map(({ testcases }) => testcases.length)]).toEqual(['tenancy provision', [2, 2]]);
    const broken = `DO $$ BEGIN IF current_schema() = 'tenant_two1' THEN RAISE EXCEPTION 'a < b & c ]]>'; END IF; END $$;\n`;
    await scene.write('migrations/0002_b.sql', broken);
    await scene.ok(['tenant', 'migrate', 'one1']);
    const run = await scene.json(['tenant', 'migrate', '--all', '--junit', 'junit.xml']);
    expect([run.exitCode, run.finished.counts]).toMatchObject([1, { applied: 2, failed: 1, 'up-to-date': 1 }]);
    const { name, suites } = await read(scene);
    expect(name).toBe('tenancy migrate');
    const shown = suites.map((suite) => [suite.name, ...suite.testcases.map((each) => `${each.name}: ${each.result}`).sort()]);
    expect(shown).toEqual([
      ['one', 'one2: passed'],
      ['two', 'two1: failure', 'two2: passed'],
    ]);
    const failed = suites[1]?.testcases.find(({ result }) => result === 'failure');
    expect(failed).toMatchObject({ classname: 'tenancy.migrate.two', type: 'TENANCY_MIGRATION_FAILED' });
    expect(failed?.message).toContain('a < b & c ]]>');
    const [{ run: id } = { run: null }] = run.events;
    expect(suites[0]?.properties).toMatchObject({
      run: id,
      selected: '4',
      'tenants.up-to-date': '1',
      'tenants.failed': '1',
      exitCode: '1',
    });

    // By the variable too, in a folder below; a command that is no run has nothing to write.
    await mkdir(path.join(scene.directory, 'reports'));
    const env = { TENANCY_JUNIT: 'reports/junit.xml' };
    expect((await scene.run(['tenant', 'list'], { env })).exitCode).toBe(0);
    expect(await readdir(path.join(scene.directory, 'reports'))).toEqual([]);
    expect((await scene.run(['run', 'retry', 'last'], { env })).exitCode).toBe(1);
    expect((await read(scene, 'reports/junit.xml')).suites.map(({ testcases }) => testcases.map(({ name }) => name))).toEqual([['two1']]);
    expect(await listReports(scene)).toEqual(['junit.xml']);
  });

  test('that can not be written is refused in one sentence, before a registry is made or a tenant touched', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    const before = await scene.snapshot();
    for (const [file, reason] of [
      ['nowhere/junit.xml', 'there is no folder'],
      ['package.json', 'a file that is no JUnit report is there already'],
      ['migrations', 'it is a folder'],
    ] as const) {
      const { exitCode, stdout, stderr } = await scene.run(['tenant', 'provision', 'acme', '--junit', file]);
      expect([exitCode, stdout, stderr]).toEqual([2, '', expect.stringContaining(reason)]);
      expect(stderr.trim().split('\n')).toHaveLength(2);
    }
    const empty = await scene.json(['tenant', 'provision', 'acme', '--junit', '']);
    expect([empty.exitCode, empty.finished.error?.code]).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await scene.snapshot()).toEqual(before);
  });

  test('is written of a command that never came to a run, and of a dry run', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    const lost = await scene.run(['tenant', 'migrate', '--all', '--junit', 'junit.xml']);
    expect(lost.exitCode).toBe(2);
    expect((await read(scene)).suites).toMatchObject([
      { name: 'tenancy', testcases: [{ name: 'tenancy tenant migrate', result: 'error', type: 'TENANCY_REGISTRY_NOT_FOUND' }] },
    ]);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
    await scene.ok(['tenant', 'migrate', '--all', '--dry-run', '--junit', 'junit.xml']);
    const [suite] = (await read(scene)).suites;
    expect(suite?.testcases.map(({ name, result, message }) => [name, result, message]).sort()).toEqual(
      ['acme', 'globex'].map((name) => [name, 'skipped', 'dry run: would migrate, 0001_a → 0002_b']),
    );
    await scene.ok(['tenant', 'migrate', '--all']);
    await scene.ok(['tenant', 'migrate', '--all', '--junit', 'junit.xml']);
    expect((await read(scene)).suites).toMatchObject([{ name: 'tenancy', testcases: [], properties: { 'tenants.up-to-date': '2' } }]);
    await scene.write('tenancy.config.mjs', 'export default { clusters: 7 };\n');
    expect((await scene.run(['tenant', 'migrate', '--all', '--junit', 'junit.xml'])).exitCode).toBe(2);
    expect((await read(scene)).suites[0]?.testcases[0]?.result).toBe('error');
  });

  test('whose folder goes away meanwhile leaves the run what it was, and is no success', async (scope) => {
    const removing = `hooks: { beforeMigrate: async () => (await import('node:fs/promises')).rm('reports', { recursive: true, force: true }) },`;
    const scene = await createScene(scope, { migrations: one, configExtra: removing });
    await mkdir(path.join(scene.directory, 'reports'));
    const { exitCode, stdout, stderr } = await scene.run(['tenant', 'provision', 'acme', '--junit', 'reports/junit.xml', '--json']);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("the JUnit report can't be written to")]);
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ type: 'run.finished', counts: { applied: 1 }, exitCode: 0 });
    expect(stderr.split('JUnit report')).toHaveLength(2);
  });

  test('is written of a command that a Ctrl-C ends before it has a run', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    const gate = await createProcessGate();
    scope.onTestFinished(() => gate.open());
    await scene.write('tenancy.config.mjs', `await ${gate.expression('config')};\nexport default {};\n`);
    const cli = await scene.start(['tenant', 'migrate', '--all', '--junit', 'junit.xml']);
    await gate.waiting(1);
    cli.kill('SIGINT');
    expect((await cli.result).exitCode).toBe(130);
    expect((await read(scene)).suites).toMatchObject([
      { name: 'tenancy', testcases: [{ name: 'tenancy tenant migrate', result: 'error', type: 'TENANCY_COMMAND_INTERRUPTED' }] },
    ]);
  });

  test('is written whole where a Ctrl-C ends the run, with those that were never started', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    const gate = await createSceneGate(scope, scene);
    const ids = ['t1', 't2', 't3', 't4', 't5'];
    await scene.ok(['tenant', 'provision', ...ids]);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
    const cli = await scene.start(['tenant', 'migrate', '--all', '--concurrency', '2', '--json', '--junit', 'junit.xml']);
    let said = '';
    cli.stdout.on('data', (chunk) => (said += String(chunk)));
    await gate.waiting(2);
    expect(await listReports(scene)).toEqual([]);
    cli.kill('SIGINT');
    await until(() => said.includes('"run.draining"'), 'the run to drain');
    await gate.open();
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts]).toMatchObject([130, { applied: 2, 'not-started': 3 }]);
    const { suites } = await read(scene);
    const results = suites.map((suite) => [suite.name, ...suite.testcases.map(({ result }) => result).sort()]);
    expect(results).toEqual([
      ['main', 'passed', 'passed', 'skipped', 'skipped', 'skipped'],
      ['tenancy', 'error'],
    ]);
    expect(await listReports(scene)).toEqual(['junit.xml']);
  });
});
