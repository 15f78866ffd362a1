import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { findModernNode } from '../rig/modern-node.js';
import { createScene } from './scene.js';

const node = await findModernNode();

const config = (url: string, size: number): string => `export default {
  registry: ${JSON.stringify({ url })},
  clusters: {
    main: { url: ${JSON.stringify(url)}, pool: { driver: 'postgres-schema', size: ${size} } },
    other: { url: ${JSON.stringify(url)}, pool: { driver: 'postgres-schema', size: 9 } },
  },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  migrations: { directory: './migrations' },
};`;

test.skipIf(node === null)(
  'a worker that idles keeps the warm pools of its clusters filled, and goes on where it can not',
  { timeout: 170_000 },
  async (scope) => {
    const scene = await createScene(scope, ({ url }) => ({ config: config(url, 2) }));
    await scene.ok(['registry', 'init']);
    const count = async (cluster = 'main'): Promise<number> =>
      (await scene.db.query(`SELECT FROM tenancy.prepared_homes WHERE status = 'ready' AND cluster = $1`, [cluster])).length;
    const worker = await scene.start(['worker', '--cluster', 'main'], { node: node ?? '', timeoutMs: 110_000 });
    scope.onTestFinished(async () => worker.kill('SIGKILL'));
    await until(async () => (await count()) === 2, 'the pool to be filled', 60_000);
    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect(run.of('step.finished').find(({ step }) => step === 'create')).toMatchObject({ detail: 'from the pool' });
    await until(async () => (await count()) === 2, 'the pool to be filled again', 60_000);
    worker.kill('SIGTERM');
    const { exitCode, stderr } = await worker.result;
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('the pool of main was filled: 2 made, 0 mended')]);
    expect(await count('other')).toBe(0);

    // Of the version that is being rolled out, to a worker of the one before.
    await scene.write('migrations/0002_more.sql', 'CREATE TABLE more (id int);\n');
    await scene.ok(['pool', 'fill', '--cluster', 'main']);
    await rm(`${scene.directory}/migrations/0002_more.sql`);
    const homes = 'SELECT id, schema_version, status FROM tenancy.prepared_homes ORDER BY id';
    const before = await scene.db.query(homes);
    expect(before.map(({ schema_version: version }) => version)).toEqual(['0002_more', '0002_more']);
    await scene.run(['worker', '--cluster', 'main', '--until-idle'], { node: node ?? '', timeoutMs: 60_000 });
    expect(await scene.db.query(homes)).toEqual(before);

    await scene.write('tenancy.config.mjs', config(scene.db.url, 3));
    await scene.write('migrations/0002_wrong.sql', 'CREATE TABLE wrong (id nonsense);\n');
    const late = await scene.run(['worker', '--cluster', 'main', '--until-idle'], { node: node ?? '', timeoutMs: 60_000 });
    expect([late.exitCode, late.stderr]).toEqual([0, expect.stringMatching(/the pool of main could not be filled: .*nonsense/)]);
  },
);
