import { describe, expect, test } from 'vitest';
import { createScene, createSceneGate } from './scene.js';

const ids = ['t1', 't2', 't3'];

describe.concurrent('a reader that goes away', () => {
  test.for([['--json'], ['--output', 'plain', '--verbose']] as const)(
    'ends the output of a run (%s), not the run',
    async (output, scope) => {
      const scene = await createScene(scope);
      const gate = await createSceneGate(scope, scene);
      await scene.ok(['tenant', 'provision', ...ids]);
      await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
      const cli = await scene.start(['tenant', 'migrate', '--all', '--concurrency', '1', ...output]);
      cli.stdout.destroy();
      cli.stderr.destroy();
      await gate.waiting(1);
      await gate.open();
      expect((await cli.result).exitCode).toBe(0);
      expect(await scene.db.query('SELECT status, exit_code FROM tenancy.runs ORDER BY sequence DESC LIMIT 1')).toEqual([
        { status: 'finished', exit_code: 0 },
      ]);
      expect(await scene.db.query(`SELECT count(*)::int AS count FROM pg_class WHERE relname = 'gated'`)).toEqual([{ count: 3 }]);
    },
  );

  test('ends a list, which is no failure', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', ...ids]);
    const cli = await scene.start(['tenant', 'list']);
    cli.stdout.destroy();
    expect((await cli.result).exitCode).toBe(0);
  });

  test('hides no failure', async (scope) => {
    const scene = await createScene(scope);
    const cli = await scene.start(['tenant', 'list', '--json']);
    cli.stdout.destroy();
    expect((await cli.result).exitCode).toBe(2);
  });
});
