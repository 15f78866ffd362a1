import { describe, expect, onTestFinished, test } from 'vitest';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';
import { createMongoScene, createMysqlScene, createPostgresScene, type EngineScene, openSceneProject } from './engine-scene.js';
import { type JsonRun, readJsonRun } from './scene.js';

interface EngineProject extends TestProject {
  json(args: readonly string[]): Promise<JsonRun>;
}

async function openProject(scene: EngineScene): Promise<EngineProject> {
  const project = await openSceneProject(scene);
  return { ...project, json: async (args) => readJsonRun(await project.run(['--json', ...args])) };
}

async function writeSecond(project: TestProject, { migrations }: EngineScene): Promise<void> {
  for (const [file, text] of Object.entries(migrations.second)) await project.write(`migrations/${file}`, text);
}

/** The same story on each engine, its registry on it too: the same commands, events and exit codes. */
function describeStory(createScene: () => Promise<EngineScene>): void {
  test('a life: provisioned, migrated with one in trouble, rolled back, suspended, deprovisioned', { timeout: 120_000 }, async () => {
    const scene = await createScene();
    const project = await openProject(scene);
    const home = (id: string): string => `${scene.prefix}${id}`;

    const doctor = await project.run(['doctor']);
    expect(doctor.exitCode, doctor.stdout + doctor.stderr).toBe(0);

    const provisioned = await project.json(['tenant', 'provision', 'a', 'b', 'c']);
    expect(provisioned.exitCode, provisioned.stdout).toBe(0);
    expect(provisioned.of('tenant.located').map(({ name }) => name)).toEqual(expect.arrayContaining(['a', 'b', 'c'].map(home)));
    expect(await scene.listHomes()).toEqual(['a', 'b', 'c'].map(home));
    const again = await project.json(['tenant', 'provision', 'a', 'b', 'c']);
    expect(again.finished).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 3, applied: 0 } });

    await writeSecond(project, scene);
    await scene.obstruct(home('b'));
    const planned = await project.json(['tenant', 'migrate', '--all', '--dry-run']);
    expect(planned.of('tenant.planned').map(({ migrations }) => migrations)).toEqual([
      ['0002_projects'],
      ['0002_projects'],
      ['0002_projects'],
    ]);
    const migrated = await project.json(['tenant', 'migrate', '--all']);
    expect(migrated.finished).toMatchObject({ exitCode: 1, counts: { applied: 2, failed: 1 } });
    expect(migrated.finished.failed.map(({ tenant }) => tenant)).toEqual(['b']);
    expect(migrated.finished.failed[0]?.error?.message).toContain('0002_projects');

    await scene.clear(home('b'));
    const mended = await project.json(['tenant', 'migrate', '--all']);
    expect(mended.finished).toMatchObject({ exitCode: 0, counts: { applied: 1, 'up-to-date': 2 } });
    const verified = await project.json(['tenant', 'migrate', '--all', '--force-verify']);
    expect(verified.finished).toMatchObject({ exitCode: 0, counts: { applied: 0, 'up-to-date': 3 } });

    const rolledBack = await project.json(['tenant', 'rollback', 'c', '--to', '0001']);
    expect(rolledBack.finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect((await project.json(['tenant', 'migrate', 'c'])).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    for (const id of ['a', 'b', 'c']) expect(await scene.countAccounts(home(id))).toBe(1);

    expect((await project.json(['tenant', 'suspend', 'a'])).exitCode).toBe(0);
    expect((await project.json(['tenant', 'resume', 'a'])).exitCode).toBe(0);
    expect((await project.run(['tenant', 'protect', 'a'])).exitCode).toBe(0);
    const refused = await project.json(['tenant', 'deprovision', 'a', '--skip-backup', '--confirm', 'a']);
    expect(refused.exitCode).toBe(4);
    const gone = await project.json(['tenant', 'deprovision', 'b', '--skip-backup', '--confirm', 'b']);
    expect(gone.exitCode, gone.stdout).toBe(0);
    expect(await scene.listHomes()).toEqual(['a', 'c'].map(home));
    expect((await project.json(['tenant', 'provision', 'b'])).exitCode).toBe(0);
    expect(await scene.countAccounts(home('b'))).toBe(1);

    const list = await project.run(['tenant', 'list', '--json']);
    expect(JSON.parse(list.stdout)).toMatchObject({
      tenants: ['a', 'b', 'c'].map((id) => ({ id, status: 'active', driver: scene.driver })),
    });
    const status = await project.run(['status', '--exit-code']);
    expect(status.exitCode, status.stdout).toBe(0);
    const runs = await project.run(['run', 'list', '--json']);
    expect(JSON.parse(runs.stdout).runs.length).toBeGreaterThanOrEqual(8);
  });

  test('of six processes that provision one tenant, one does it', async () => {
    const scene = await createScene();
    const project = await openProject(scene);
    await project.run(['registry', 'init']);
    const runs = await Promise.all(Array.from({ length: 6 }, () => project.json(['tenant', 'provision', 'raced'])));
    const told = runs.map(({ stdout }) => stdout).join('\n');
    expect(
      runs.filter(({ finished }) => finished.counts.applied === 1),
      told,
    ).toHaveLength(1);
    for (const { exitCode } of runs) expect([0, 5], told).toContain(exitCode);
    expect(await scene.countAccounts(`${scene.prefix}raced`)).toBe(1);
  });

  test('what somebody else made is left alone', async () => {
    const scene = await createScene();
    const project = await openProject(scene);
    expect((await project.json(['tenant', 'provision', 'mine'])).exitCode).toBe(0);
    const home = `${scene.prefix}mine`;
    // Another registry on the same server, which knows nothing of the tenant.
    const stranger = await createProject({
      databaseUrl: scene.clusterUrl,
      registryUrl: await scene.makeOtherRegistry(),
      namePrefix: scene.prefix,
      driver: scene.driver,
      migrations: scene.migrations.first,
    });
    onTestFinished(() => stranger.remove());
    const refused = readJsonRun(await stranger.run(['--json', 'tenant', 'provision', 'mine']));
    expect(refused.finished.failed[0]?.error?.code ?? refused.finished.error?.code, refused.stdout).toBe('TENANCY_NAME_TAKEN');
    expect(await scene.countAccounts(home)).toBe(1);
    // The id is free again, and what was never its home is there still.
    const freed = readJsonRun(await stranger.run(['--json', 'tenant', 'deprovision', 'mine', '--skip-backup', '--confirm', 'mine']));
    expect(freed.exitCode, freed.stdout).toBe(0);
    expect(freed.of('run.warned').map(({ code }) => code)).toContain('TENANCY_NAME_TAKEN');
    expect(await scene.countAccounts(home)).toBe(1);
    const kept = await project.json(['tenant', 'migrate', 'mine', '--force-verify']);
    expect(kept.finished, kept.stdout).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 1 } });
  });

  test('the registry itself is never adopted, to be dropped as a tenant', async () => {
    const scene = await createScene();
    const registryUrl = await scene.makeOtherRegistry();
    const project = await openProject({ ...scene, registryUrl });
    expect((await project.run(['registry', 'init'])).exitCode).toBe(0);
    const adopt = ['registry', 'adopt', '--driver', scene.driver, '--pattern', `${scene.prefix}{id}`, '--dry-run'];
    const looked = await project.json(adopt);
    expect(looked.exitCode, looked.stdout).toBe(0);
    expect(looked.of('tenant.planned').map(({ name }) => name)).toEqual([]);
  });
}

describe('postgres', () => describeStory(createPostgresScene));
describeOn('mariadb', () => describeStory(createMysqlScene));
describeOn('mongodb', () => describeStory(createMongoScene));

describeOn('mariadb', () => {
  test('a fleet over three engines is migrated in one run, each cluster within its cap', { timeout: 120_000 }, async () => {
    const scenes = await Promise.all([createPostgresScene(), createMysqlScene(), createMongoScene()]);
    const [postgres, mysql, mongo] = scenes;
    const files = { postgres, mysql, mongo };
    const project = await createProject({
      config: `import { byDriver, sqlMigrations } from 'tenancy-cli/hooks';
export default {
  registry: { url: ${JSON.stringify(postgres.registryUrl)} },
  clusters: ${JSON.stringify(Object.fromEntries(Object.entries(files).map(([name, { clusterUrl }]) => [name, { url: clusterUrl, concurrency: 2 }])))},
  placement: ({ id, labels }) => {
    const [cluster, driver, prefix] = ${JSON.stringify(Object.fromEntries(Object.entries(files).map(([name, { driver, prefix }]) => [name, [name, driver, prefix]])))}[labels.on];
    return { cluster, driver, name: prefix + id };
  },
  hooks: { migrate: byDriver({ ${Object.entries(files)
    .map(([name, { driver }]) => `'${driver}': sqlMigrations({ directory: './${name}' })`)
    .join(', ')} }) },
};
`,
    });
    onTestFinished(async () => {
      await project.remove();
      for (const scene of scenes) await scene.drop();
    });
    const write = async (which: 'first' | 'second'): Promise<void> => {
      for (const [folder, { migrations }] of Object.entries(files)) {
        for (const [file, text] of Object.entries(migrations[which])) await project.write(`${folder}/${file}`, text);
      }
    };
    const json = async (args: readonly string[]): Promise<JsonRun> => readJsonRun(await project.run(['--json', ...args]));
    await write('first');
    for (const on of Object.keys(files)) {
      const run = await json(['tenant', 'provision', `${on}1`, `${on}2`, `${on}3`, '--label', `on=${on}`]);
      expect(run.exitCode, run.stdout).toBe(0);
    }
    await write('second');
    const run = await json(['tenant', 'migrate', '--all']);
    expect(run.finished).toMatchObject({ exitCode: 0, counts: { applied: 9 } });
    const again = await json(['tenant', 'migrate', '--all']);
    expect(again.finished.counts).toMatchObject({ applied: 0, 'up-to-date': 9 });
    expect(run.of('run.started')[0]?.clusters).toEqual({
      postgres: { tenants: 3, cap: 2 },
      mysql: { tenants: 3, cap: 2 },
      mongo: { tenants: 3, cap: 2 },
    });
  });
});
