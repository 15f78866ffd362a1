import { expect, test } from 'vitest';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { createScene } from './scene.js';

const ids = Array.from({ length: 120 }, (_, index) => `t${String(index).padStart(3, '0')}`);

test('--force-verify asks schemas by the hundred, and those that are not as recorded one by one', { timeout: 120_000 }, async (scope) => {
  const scene = await createScene(scope, {
    migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n', '0002_b.sql': 'CREATE TABLE b (id int);\n' },
  });
  const target = await createTcpProxy(scene.db.url);
  scope.onTestFinished(() => target.close());
  await scene.write(
    'tenancy.config.mjs',
    `export default {
      registry: { url: ${JSON.stringify(scene.db.url)} },
      clusters: { main: { url: ${JSON.stringify(target.url)} } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
      migrations: { directory: './migrations' },
    };`,
  );
  await scene.ok(['tenant', 'provision', ...ids]);
  const before = target.requestCount;
  const all = await scene.json(['tenant', 'migrate', '--all', '--force-verify']);
  expect([all.exitCode, all.finished.counts['up-to-date'], all.of('tenant.finished')]).toEqual([0, 120, []]);
  // Who the server is, its connections, which schemas there are, what they have.
  expect(target.requestCount - before).toBeLessThan(12);

  const beforeDry = target.requestCount;
  const dry = await scene.json(['tenant', 'migrate', '--all', '--force-verify', '--dry-run']);
  expect([dry.exitCode, dry.finished.counts['up-to-date'], dry.of('run.planned')]).toMatchObject([
    0,
    120,
    [{ groups: [], versions: [{ schemaVersion: '0002_b', tenants: 120, upToDate: 120 }] }],
  ]);
  expect(target.requestCount - beforeDry).toBeLessThan(12);

  await scene.db.query(`
    DELETE FROM tenant_t001._tenancy_migrations WHERE name = '0002_b'; DROP TABLE tenant_t001.b;
    UPDATE tenant_t002._tenancy_migrations SET checksum = 'edited' WHERE name = '0001_a';
    INSERT INTO tenant_t003._tenancy_migrations VALUES (3, '0003_c', 'later', now(), 1, 'r');
    INSERT INTO tenant_t004._tenancy_state (type, name, checksum, statements_done, statement) VALUES ('progress', '0003_c', 'x', 0, 'started');
    COMMENT ON SCHEMA tenant_t005 IS NULL;
    DROP SCHEMA tenant_t006 CASCADE;
    DROP TABLE tenant_t007._tenancy_migrations;`);
  const blind = await scene.json(['tenant', 'migrate', '--all']);
  expect([blind.exitCode, blind.finished.counts['up-to-date']]).toEqual([0, 120]);
  const foreseen = await scene.json(['tenant', 'migrate', '--all', '--force-verify', '--dry-run']);
  expect(foreseen.of('tenant.planned')).toMatchObject([{ tenant: 't001', migrations: ['0002_b'] }]);
  expect(foreseen.finished.failed.map(({ tenant }) => tenant)).toEqual(expect.arrayContaining(['t002', 't005', 't006', 't007']));
  const seen = await scene.json(['tenant', 'migrate', '--all', '--force-verify']);
  expect(seen.exitCode).toBe(1);
  expect(seen.of('tenant.finished').filter(({ outcome }) => outcome === 'applied')).toMatchObject([{ tenant: 't001' }]);
  expect(seen.of('run.warned')).toMatchObject([{ tenant: 't003', code: 'TENANCY_TENANT_AHEAD' }]);
  expect(Object.fromEntries(seen.finished.failed.map(({ tenant, error }) => [tenant, error?.code]))).toEqual({
    t002: 'TENANCY_MIGRATION_EDITED',
    t004: 'TENANCY_MIGRATION_PROGRESS_DRIFTED',
    t005: 'TENANCY_HOME_NOT_OURS',
    t006: 'TENANCY_HISTORY_LOST',
    t007: 'TENANCY_HISTORY_LOST',
  });
  expect(seen.finished.counts['up-to-date']).toBe(114);
});
