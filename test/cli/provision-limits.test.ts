import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

describe.concurrent('provision', () => {
  test.for([
    ['names the schema public', 'CREATE TABLE "public"."plans" (id int);\n', /public/],
    ['ends the transaction', 'CREATE TABLE plans (id int);\nCOMMIT;\n', /COMMIT/],
  ] as const)('refuses a seed that %s, and nothing of it stays', async ([, sql, words], scope) => {
    const scene = await createScene(scope, { seeds: { 'plans.sql': sql } });
    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect(run.exitCode).not.toBe(0);
    const error = run.finished.error ?? run.finished.failed[0]?.error;
    expect(error?.message).toMatch(words);
    expect(error?.message).toContain('plans.sql');
    expect(await scene.db.query(`SELECT 1 FROM pg_class WHERE relname = 'plans'`)).toEqual([]);
    await scene.write('seeds/plans.sql', 'CREATE TABLE plans (id int);\n');
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
  });

  test('records the placement, so that a config that changes its mind moves nobody', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
    await scene.write(
      'tenancy.config.mjs',
      `export default {
      clusters: { other: { url: ${JSON.stringify(scene.db.url)} }, main: { url: ${JSON.stringify(scene.db.url)} } },
      placement: ({ id }) => ({ cluster: 'other', driver: 'postgres-database', name: '${scene.db.name}_moved_' + id }),
      migrations: { directory: './migrations' },
    };`,
    );
    expect((await scene.json(['tenant', 'provision', 'acme'])).finished.counts['up-to-date']).toBe(1);
    expect((await scene.json(['tenant', 'migrate', 'acme'])).exitCode).toBe(0);
    expect(await scene.db.query(`SELECT to_regclass('tenant_acme.b') IS NOT NULL AS is_there`)).toEqual([{ is_there: true }]);
    expect(await scene.db.query('SELECT cluster, driver, name FROM tenancy.tenants')).toEqual([
      { cluster: 'main', driver: 'postgres-schema', name: 'tenant_acme' },
    ]);
    await scene.write(
      'tenancy.config.mjs',
      `export default {
      registry: { url: ${JSON.stringify(scene.db.url)} },
      clusters: { other: { url: ${JSON.stringify(scene.db.url)} } },
      placement: ({ id }) => ({ cluster: 'other', driver: 'postgres-schema', name: id }),
      migrations: { directory: './migrations' },
    };`,
    );
    await scene.write('migrations/0003_c.sql', 'SELECT 1;\n');
    for (const args of [
      ['migrate', 'acme'],
      ['migrate', '--all'],
      ['suspend', 'acme'],
      ['deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
    ]) {
      const lost = await scene.json(['tenant', ...args]);
      const error = lost.finished.error ?? lost.finished.failed[0]?.error;
      expect([args, lost.exitCode, error?.code]).toEqual([args, 2, 'TENANCY_CLUSTER_UNKNOWN']);
    }
  });

  test('makes a fleet where some are broken, and a second go makes just the rest', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n' } });
    for (const id of ['t03', 't07']) await scene.db.query(`CREATE SCHEMA tenant_${id}; CREATE TABLE tenant_${id}.a (id int)`);
    const ids = Array.from({ length: 12 }, (_, index) => `t${String(index).padStart(2, '0')}`);
    const first = await scene.json(['tenant', 'provision', '-'], { input: ids.join('\n') });
    expect([first.exitCode, first.finished.counts.applied, first.finished.failed.map(({ tenant }) => tenant)]).toEqual([
      1,
      10,
      ['t03', 't07'],
    ]);
    await scene.db.query('DROP SCHEMA tenant_t03 CASCADE; DROP SCHEMA tenant_t07 CASCADE');
    const second = await scene.json(['tenant', 'provision', '-'], { input: ids.join('\n') });
    expect([
      second.exitCode,
      second.finished.counts.applied,
      second.finished.counts['up-to-date'],
      second
        .of('tenant.finished')
        .map(({ tenant }) => tenant)
        .sort(),
    ]).toEqual([0, 2, 10, ['t03', 't07']]);
  });

  test('by several at once makes one tenant, and nobody fails', async (scope) => {
    const scene = await createScene(scope, {
      migrations: { '0001_counts.sql': `CREATE TABLE counts (name text); INSERT INTO counts VALUES ('0001_counts');\n` },
    });
    const runs = await Promise.all(Array.from({ length: 4 }, () => scene.json(['tenant', 'provision', 'acme'])));
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(runs.reduce((sum, { finished }) => sum + finished.counts.applied, 0)).toBe(1);
    expect(await scene.db.query('SELECT name FROM tenant_acme.counts')).toEqual([{ name: '0001_counts' }]);
    expect(await scene.db.query('SELECT id, status, incarnation FROM tenancy.tenants')).toEqual([
      { id: 'acme', status: 'active', incarnation: 1 },
    ]);
  });
});
