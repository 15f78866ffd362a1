import { describe, expect, test } from 'vitest';
import { assertDocument } from '../rig/events-schema.js';
import { createScene, type Scene } from './scene.js';

interface Pools {
  readonly pools: readonly Readonly<Record<string, unknown>>[];
}

function createPoolScene(scope: Parameters<typeof createScene>[0], migrations?: Readonly<Record<string, string>>): Promise<Scene> {
  return createScene(scope, ({ url }) => ({
    config: `export default {
      registry: ${JSON.stringify({ url })},
      clusters: { main: { url: ${JSON.stringify(url)}, pool: { driver: 'postgres-schema', size: 2 } } },
      placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
      migrations: { directory: './migrations' },
    };`,
    ...(migrations === undefined ? {} : { migrations }),
  }));
}

describe.concurrent('tenancy pool', () => {
  test('fill and status say what there is, in words and as a document', async (scope) => {
    const scene = await createPoolScene(scope);
    const early = await scene.run(['pool', 'fill']);
    expect([early.exitCode, early.stderr]).toEqual([2, expect.stringContaining('there is no tenancy registry')]);
    await scene.ok(['registry', 'init']);
    expect((await scene.ok(['pool', 'status'])).stdout).toBe('! main  postgres-schema  0 of 2 ready\n  → tenancy pool fill\n');
    expect((await scene.ok(['pool', 'fill'])).stdout).toBe('✔ main  postgres-schema  2 of 2 ready: 2 made\n');
    const status = assertDocument<Pools>('poolStatus', (await scene.ok(['pool', 'status', '--json'])).stdout);
    const state = { cluster: 'main', driver: 'postgres-schema', size: 2, ready: 2, stale: 0, busy: 0, claimed: 0, broken: [] };
    expect(status).toEqual({ v: 1, pools: [state] });
    const filled = assertDocument<Pools>('poolFill', (await scene.ok(['pool', 'fill', '3', '--json'])).stdout);
    expect(filled).toEqual({ v: 1, pools: [{ ...state, ready: 3, made: 1, mended: 0, dropped: 0, failed: [] }] });

    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect(run.of('step.finished').find(({ step }) => step === 'create')).toMatchObject({ detail: 'from the pool', status: 'done' });
    const [home] = await scene.db.query("SELECT to_regclass('tenant_acme.accounts') IS NOT NULL AS is_there");
    expect(home).toEqual({ is_there: true });
    expect((await scene.ok(['tenant', 'list', '--quiet'])).stdout).toBe('acme\n');
    expect((await scene.ok(['pool', 'status'])).stdout).toBe('✔ main  postgres-schema  2 of 2 ready\n');
    const adopted = await scene.run(['registry', 'adopt', '--pattern', 'tenancy_pool_{id}', '--dry-run']);
    expect(adopted.stdout + adopted.stderr).not.toContain('tenancy_pool_0');
    expect((await scene.ok(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'])).exitCode).toBe(0);
  });

  test('fill exits with 1 where a home could not be made, and says why', async (scope) => {
    const scene = await createPoolScene(scope, { '0001_wrong.sql': 'CREATE TABLE wrong (id nonsense);\n' });
    await scene.ok(['registry', 'init']);
    const filled = await scene.run(['pool', 'fill', '1']);
    expect([filled.exitCode, filled.stdout]).toEqual([
      1,
      expect.stringMatching(/✖ tenancy_pool_\w+: .*nonsense.*TENANCY_MIGRATION_FAILED/),
    ]);
  });

  test('refuses a count that is none, a cluster without a pool, and an engine that can not rename', async (scope) => {
    const scene = await createPoolScene(scope);
    const count = await scene.run(['pool', 'fill', 'many']);
    expect([count.exitCode, count.stderr]).toEqual([2, expect.stringContaining('expected how many are to be ready, such as 20')]);
    const cluster = await scene.run(['pool', 'status', '--cluster', 'other']);
    expect([cluster.exitCode, cluster.stderr]).toEqual([2, expect.stringMatching(/cluster other has no warm pool.*\n.*name main/)]);
    await scene.write(
      'tenancy.config.mjs',
      `export default { clusters: { main: { url: 'mysql://root@127.0.0.1', pool: { driver: 'mysql-database', size: 2 } } },
        placement: { cluster: 'main', driver: 'mysql-database', name: 't_{id}' } };`,
    );
    const engine = await scene.run(['pool', 'fill']);
    const why = "`clusters.main.pool.driver`: expected 'postgres-schema' or 'postgres-database': a home is made ahead under another name";
    expect([engine.exitCode, engine.stderr]).toEqual([2, expect.stringContaining(why)]);
  });
});

test('doctor says how far databases are copied, and whether the pools are full', async (scope) => {
  const files = Array.from({ length: 12 }, (_, index) => [
    `${String(index + 1).padStart(4, '0')}_t.sql`,
    `CREATE TABLE t${index} (id int);\n`,
  ]);
  const scene = await createScene(scope, ({ url, name }) => ({
    config: `export default {
      registry: ${JSON.stringify({ url })},
      clusters: { main: { url: ${JSON.stringify(url)}, pool: { driver: 'postgres-schema', size: 1 } } },
      placement: { cluster: 'main', driver: 'postgres-database', name: '${name}_{id}' },
      migrations: { directory: './migrations' },
    };`,
    migrations: { ...Object.fromEntries(files), '0013_rows.sql': 'INSERT INTO t1 VALUES (1);\n' },
  }));
  await scene.ok(['registry', 'init']);
  const examine = async (): Promise<Readonly<Record<string, string>>> => {
    const { checks } = assertDocument<{ checks: readonly { name: string; status: string; detail: string }[] }>(
      'doctor',
      (await scene.ok(['doctor', '--json'])).stdout,
    );
    return Object.fromEntries(checks.map(({ name, status, detail }) => [name, `${status}: ${detail}`]));
  };
  expect(await examine()).toMatchObject({
    templates:
      'ok: new databases are copied with 12 of 13 migrations; each tenant runs those from 0013_rows on itself, which does more than define',
    'pool.main': 'warning: 0 of 1 ready',
  });
  await scene.ok(['pool', 'fill']);
  expect(await examine()).toMatchObject({ 'pool.main': 'ok: 1 of 1 ready' });
});
