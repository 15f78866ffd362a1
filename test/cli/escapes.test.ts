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
