import { execa } from 'execa';
import { expect, test } from 'vitest';
import { repositoryRoot } from './cli.js';
import { createCrashProxy } from './crash.js';
import { createTestDatabase } from './postgres.js';

test.each([
  { phase: 'before' as const, written: 1 },
  { phase: 'after' as const, written: 2 },
])('a process is killed $phase its second request is carried out', async ({ phase, written }) => {
  const database = await createTestDatabase();
  await database.query('CREATE TABLE written (n int)');
  const proxy = await createCrashProxy(database.url);
  const script = `import pg from 'pg';
    const client = new pg.Client(${JSON.stringify(proxy.url)});
    await client.connect();
    for (const n of [1, 2, 3]) await client.query('INSERT INTO written VALUES (' + n + ')');
    await client.end();`;
  const start = async () => {
    const child = execa(process.execPath, ['--input-type=module', '-e', script], { cwd: repositoryRoot, reject: false });
    const result = child.then(({ exitCode, signal, stdout, stderr }) => ({
      exitCode: exitCode ?? 137,
      signal,
      stdout,
      stderr,
      durationMs: 0,
    }));
    return { kill: (signal: NodeJS.Signals) => void child.kill(signal), result };
  };
  const killed = await proxy.crash(start, { request: 2, phase });
  expect(killed).toMatchObject({ isKilled: true, exitCode: 137, requestCount: 2, sql: 'INSERT INTO written VALUES (2)' });
  expect(await database.query('SELECT n FROM written ORDER BY n')).toHaveLength(written);
  const whole = await proxy.crash(start, null);
  expect(whole).toMatchObject({ isKilled: false, exitCode: 0, requestCount: 3 });
  await proxy.close();
  await database.drop();
});
