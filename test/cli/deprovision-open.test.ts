import { describe, expect, test } from 'vitest';
import type { TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';
import { createMongoScene, createMysqlScene, openSceneProject } from './engine-scene.js';
import { createScene, type JsonRun, readJsonRun } from './scene.js';

const configExtra = `hooks: { backup: (ctx) => { if (process.env.BROKEN) throw new Error('the disk is full'); ctx.log('backed up'); } },
  isolation: process.env.ISOLATION ?? 'none', secrets: { directory: './secrets' },`;

const remove = (id: string, ...more: string[]): string[] => ['tenant', 'deprovision', id, '--confirm', id, ...more];
const warned = (run: JsonRun): string[] => run.of('run.warned').map(({ code }) => code);

/** What is said of a tenant that nobody can be kept out of while it is backed up and dropped. */
async function sees(project: TestProject): Promise<JsonRun> {
  const json = async (args: readonly string[], env = {}): Promise<JsonRun> => readJsonRun(await project.run(['--json', ...args], { env }));
  expect((await json(['tenant', 'provision', 'acme', 'beta', 'gamma'])).exitCode).toBe(0);
  expect((await json(['tenant', 'provision', 'own'], { ISOLATION: 'role' })).exitCode).toBe(0);

  const planned = await json(['tenant', 'deprovision', 'acme', '--dry-run']);
  expect([planned.exitCode, warned(planned)]).toEqual([0, ['TENANCY_ACCESS_NOT_ENFORCED']]);
  const removed = await json(remove('acme'));
  expect([removed.exitCode, warned(removed)]).toEqual([0, ['TENANCY_ACCESS_NOT_ENFORCED']]);
  const [warning] = removed.of('run.warned');
  expect(warning?.message).toBe(planned.of('run.warned')[0]?.message);
  expect(warning?.message).toContain('stop the application for this tenant first');
  // In time: before the picture is taken that what is written later is missing from.
  const order = removed.events.map((event) => (event.type === 'step.started' ? event.step : event.type));
  expect(order.indexOf('run.warned')).toBeLessThan(order.indexOf('backup'));

  // Nothing is lost where nothing was to be kept, where all is, and where the login is the tenant's own.
  for (const args of [remove('beta', '--skip-backup'), [...remove('gamma', '--retain', '30d'), '--dry-run']]) {
    const run = await json(args);
    expect([args.join(' '), run.exitCode, warned(run)]).toEqual([args.join(' '), 0, []]);
  }
  for (const args of [['tenant', 'deprovision', 'own', '--dry-run'], remove('own')]) {
    const run = await json(args, { ISOLATION: 'role' });
    expect([args.join(' '), run.exitCode, warned(run)]).toEqual([args.join(' '), 0, []]);
  }
  return removed;
}

describe('deprovision of a tenant that shares the login of the application', { timeout: 120_000 }, () => {
  test('says that its schema stays open until the drop, and that to retain it would close it', async (scope) => {
    const scene = await createScene(scope, { configExtra });
    const [warning] = (await sees(scene)).of('run.warned');
    expect(warning?.message).toContain('shares the login of the application');
    expect(warning?.message).toContain('`--retain 30d` keeps everything, and closes the schema by renaming it');
  });
});

describeOn('mariadb', () => {
  test('deprovision says of a database of MySQL that nobody has rights on it alone', { timeout: 120_000 }, async () => {
    const [warning] = (await sees(await openSceneProject(await createMysqlScene(), configExtra))).of('run.warned');
    expect(warning?.message).toContain('nobody has rights on this database alone');
  });
});

describeOn('mongodb', () => {
  test('deprovision says of a database of MongoDB that no user is defined in it', { timeout: 120_000 }, async () => {
    const [warning] = (await sees(await openSceneProject(await createMongoScene(), configExtra))).of('run.warned');
    expect(warning?.message).toContain('no user is defined in');
  });
});
