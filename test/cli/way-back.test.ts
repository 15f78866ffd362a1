import { expect, test } from 'vitest';
import { describeOn } from '../rig/require.js';
import { createMongoScene, createMysqlScene, createPostgresScene, type EngineScene, openSceneProject } from './engine-scene.js';
import { readJsonRun } from './scene.js';

/** The commands of a sentence, as they stand in it. */
function readCommands(sentence = ''): readonly (readonly string[])[] {
  return [...sentence.matchAll(/`tenancy ([^`]+)`/g)].map(([, words = '']) => words.split(' '));
}

function describeWayBack(createScene: () => Promise<EngineScene>): void {
  test('what is said of a tenant whose home was dropped by hand brings it back, when it is typed', { timeout: 180_000 }, async () => {
    const scene = await createScene();
    // What is retained by default is to be freed all the same.
    const project = await openSceneProject(scene, `backups: { directory: './backups' }, defaults: { retain: '30d' },`);
    const json = async (...args: string[]) => readJsonRun(await project.run(['--json', ...args]));
    const home = `${scene.prefix}acme`;
    expect((await json('tenant', 'provision', 'acme')).exitCode).toBe(0);
    expect((await json('tenant', 'backup', 'acme')).exitCode).toBe(0);

    async function typeWhatIsSaid(failing: readonly string[]): Promise<void> {
      const failed = await json(...failing);
      const error = failed.finished.failed[0]?.error;
      expect([failed.exitCode, error?.code], failed.stdout).toEqual([1, 'TENANCY_HOME_MISSING']);
      const [finding] = (await json('tenant', 'verify', 'acme')).of('tenant.finding');
      expect([finding?.code, finding?.repair]).toEqual(['home-missing', error?.hint]);
      const [free, restore] = readCommands(error?.hint);
      // Asked for on a terminal, and here said.
      const freed = await json(...(free ?? []), '--confirm', 'acme');
      expect(freed.exitCode, freed.stdout).toBe(0);
      const restored = await json(...(restore ?? []));
      expect(restored.exitCode, restored.stdout).toBe(0);
      expect(await scene.countAccounts(home)).toBe(1);
      expect((await json('tenant', 'verify', 'acme', '--exit-code')).exitCode).toBe(0);
    }

    await scene.dropHome(home);
    // Who tries at once is told what is in the way, and nothing that isn't so.
    const refused = await project.run(['tenant', 'restore', 'acme']);
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringContaining('`tenancy tenant deprovision acme --retain none`')]);
    expect(refused.stderr).not.toContain('its data would be overwritten');
    await typeWhatIsSaid(['tenant', 'backup', 'acme']);

    expect((await json('tenant', 'deprovision', 'acme', '--confirm', 'acme')).exitCode).toBe(0);
    await scene.dropHome(home);
    await typeWhatIsSaid(['tenant', 'undelete', 'acme']);
  });
}

describeOn('postgresql-client', () => describeWayBack(() => createPostgresScene('15')));
describeOn('mariadb', () => describeWayBack(createMysqlScene));
describeOn('mongodb', () => describeWayBack(createMongoScene));
