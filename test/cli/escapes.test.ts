import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

const hook = (body: string): string => `hooks: { seed: async () => { ${body} } },`;

describe.concurrent('code of the user', () => {
  test.for([
    [
      'a rejection that nothing waits for',
      `Promise.reject(new Error('postgres://bob:hunter2@host/db is gone')); await new Promise((resolve) => setTimeout(resolve, 5000));`,
    ],
    [
      'an error in a timer',
      `setTimeout(() => { throw new Error('postgres://bob:hunter2@host/db is gone'); }); await new Promise((resolve) => setTimeout(resolve, 5000));`,
    ],
  ] as const)('ends the command with a last event and no password, at %s', async ([, body], scope) => {
    const scene = await createScene(scope, (db) => ({ databaseUrl: db.url, configExtra: hook(body) }));
    const { exitCode, finished, stdout, stderr } = await scene.json(['tenant', 'provision', 'acme']);
    expect([exitCode, finished.error?.code]).toEqual([70, 'TENANCY_ERROR_ESCAPED']);
    expect(stdout + stderr).not.toContain('hunter2');
  });

  test('that loses an error in the middle of a run is all that is told of its end, whatever else that breaks off', async (scope) => {
    const lose = `if (process.env.TENANCY_TEST_LOSE && type === 'tenant.finished') setTimeout(() => { throw new Error('lost in a hook'); });`;
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `hooks: { onEvent: ({ type }) => { ${lose} } },`,
      concurrency: 2,
    }));
    const ids = Array.from({ length: 30 }, (_, index) => `t${index}`);
    await scene.ok(['tenant', 'provision', ...ids]);
    await scene.write('migrations/0002_more.sql', 'SELECT pg_sleep(0.1);\n');
    const { exitCode, finished, of, stderr } = await scene.json(['tenant', 'migrate', '--all'], { env: { TENANCY_TEST_LOSE: '1' } });
    expect([exitCode, finished.error?.code]).toEqual([70, 'TENANCY_ERROR_ESCAPED']);
    expect(of('run.finished')).toHaveLength(1);
    expect(stderr).not.toMatch(/registry is closed|bug in tenancy/);
  });

  test('that ends the process fails its own tenant, and is no success', async (scope) => {
    const body = `if (process.env.TENANCY_TEST_EXIT) process.exit(0);`;
    const scene = await createScene(scope, (db) => ({ databaseUrl: db.url, configExtra: hook(body) }));
    const { exitCode, finished } = await scene.json(['tenant', 'provision', 'acme'], { env: { TENANCY_TEST_EXIT: '1' } });
    expect([exitCode, finished.failed[0]?.error?.message]).toEqual([1, expect.stringContaining('process.exit(0) was called')]);
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
  });

  test('that waits for ever is told of, also in JSON', async (scope) => {
    const scene = await createScene(scope);
    await scene.write('never.config.mjs', 'export default () => new Promise(() => {});');
    const { exitCode, finished } = await scene.json(['tenant', 'list', '--config', 'never.config.mjs']);
    expect([exitCode, finished.error?.code]).toEqual([2, 'TENANCY_PROMISE_PENDING']);
  });

  test('logs to stderr, and leaves stdout to the events', async (scope) => {
    const scene = await createScene(scope, (db) => ({ databaseUrl: db.url, configExtra: hook(`console.log('seeding')`) }));
    const { exitCode, stderr } = await scene.json(['tenant', 'provision', 'acme']);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('seeding')]);
  });
});
