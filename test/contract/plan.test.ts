import { describe, expect, test } from 'vitest';
import { assertEvent } from '../rig/events-schema.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { createBehind, createPlanScene, readPlan } from './plan-rig.js';

describe('a dry run', () => {
  test('tells versions, groups, clusters and a time, and writes nothing', async (scope) => {
    const scene = await createBehind(scope);
    const tenancy = await scene.open();
    await tenancy.migrate({ ids: ['globex'] });
    await tenancy.provision('initech');
    await tenancy.rollback({ ids: ['initech'] }, { to: 'none' });
    const before = await scene.dump();
    scene.told();
    const report = await tenancy.migrate({ all: true }, { dryRun: true, exitCodeOfPending: 3 });
    const events = scene.told();
    for (const event of events) assertEvent(JSON.parse(JSON.stringify(event)));
    expect(report).toMatchObject({ exitCode: 3, pending: 2, counts: { 'up-to-date': 1, 'not-started': 2, failed: 0 } });
    const plan = readPlan(events);
    expect(plan.versions).toEqual(
      expect.arrayContaining([
        { schemaVersion: '0001_a', tenants: 1, upToDate: 0 },
        { schemaVersion: '0002_b', tenants: 1, upToDate: 1 },
        { schemaVersion: null, tenants: 1, upToDate: 0 },
      ]),
    );
    expect(
      plan.groups.map(({ from, to, migrations, tenants, sample, knownBy }) => [from, to, migrations, tenants, sample, knownBy]),
    ).toEqual(
      expect.arrayContaining([
        ['0001_a', '0002_b', ['0002_b'], 1, ['acme'], 'registry'],
        [null, '0002_b', ['0001_a', '0002_b'], 1, ['initech'], 'registry'],
      ]),
    );
    expect(plan.clusters).toEqual([{ cluster: 'main', tenants: 2, cap: 2, tenantMs: expect.any(Number), estimateMs: expect.any(Number) }]);
    expect(plan.estimate).toMatchObject({ sampled: 1, runs: [expect.any(String)] });
    expect(events.filter(({ type }) => type === 'tenant.planned')).toHaveLength(2);
    expect(await scene.dump()).toEqual(before);
  });

  test('needs no right to write anywhere', async (scope) => {
    const scene = await createBehind(scope);
    const { database } = scene;
    const reader = `${database.name}_reader`;
    await database.query(`CREATE ROLE ${reader} LOGIN PASSWORD 'reads-only' IN ROLE pg_read_all_data`);
    await database.query(`ALTER ROLE ${reader} SET default_transaction_read_only = on`);
    scope.onTestFinished(() => database.query(`DROP ROLE ${reader}`).then(() => undefined));
    const url = new URL(database.url);
    url.username = reader;
    url.password = 'reads-only';
    const tenancy = await scene.open({ registry: { url: url.href }, clusters: { main: { url: url.href } } });
    const before = await scene.dump();
    for (const forceVerify of [false, true]) {
      expect(await tenancy.migrate({ all: true }, { dryRun: true, forceVerify, save: scene.planFile })).toMatchObject({
        exitCode: 0,
        pending: 2,
      });
      expect(await tenancy.carryOut('migrate', scene.planFile, { dryRun: true, forceVerify })).toMatchObject({ exitCode: 0, pending: 2 });
      expect(await tenancy.rollback({ all: true }, { to: 'none', dryRun: true, forceVerify })).toMatchObject({ exitCode: 0, pending: 2 });
    }
    expect(await scene.dump()).toEqual(before);
    await tenancy.close();
  });

  test('of a large fleet asks the registry once, opens no tenant, and has a plan of a few groups', async (scope) => {
    const scene = await createBehind(scope);
    // Homes that aren't there: whoever looked into one would fail.
    await scene.database.query(
      `INSERT INTO tenancy.tenants (id, status, cluster, driver, name, schema_version, migrations_hash, home_operation_id, last_error)
       SELECT 'ghost' || n, status, cluster, driver, 'ghost_' || n, schema_version, migrations_hash, home_operation_id, NULL
         FROM tenancy.tenants, generate_series(1, 3000) n WHERE id = 'acme'`,
    );
    const [toRegistry, toCluster] = await Promise.all([createTcpProxy(scene.database.url), createTcpProxy(scene.database.url)]);
    scope.onTestFinished(() => Promise.all([toRegistry.close(), toCluster.close()]).then(() => undefined));
    const tenancy = await scene.open({ registry: { url: toRegistry.url }, clusters: { main: { url: toCluster.url } } });
    await tenancy.count();
    const [asked, connected] = [toRegistry.requestCount, toCluster.connectionCount];
    scene.told();
    const report = await tenancy.migrate({ all: true }, { dryRun: true, listsTenants: false });
    expect(report).toMatchObject({ exitCode: 0, pending: 3002, counts: { 'not-started': 3002 } });
    const events = scene.told();
    expect(events.map(({ type }) => type)).toEqual(['run.started', 'run.planned', 'run.finished']);
    expect(readPlan(events).groups).toMatchObject([{ tenants: 3002, sample: [], knownBy: 'registry', from: '0001_a' }]);
    // The counts, the cluster's identity and the earlier runs; on the cluster, only the question who it is.
    expect(toRegistry.requestCount - asked).toBeLessThanOrEqual(8);
    expect(toCluster.connectionCount - connected).toBeLessThanOrEqual(1);

    // One that the registry can't speak for, and one whose last run failed, are looked into, and they alone.
    await scene.database.query(`UPDATE tenancy.tenants SET migrations_hash = 'strange' WHERE id = 'acme'`);
    await scene.database.query(
      `UPDATE tenancy.tenants SET last_error = '{"code":"X","message":"m","step":null,"at":""}' WHERE id IN ('globex', 'ghost7')`,
    );
    const second = await tenancy.migrate({ all: true }, { dryRun: true, listsTenants: false });
    expect(second.failed.map(({ tenant, error }) => [tenant, error?.code])).toEqual([['ghost7', 'TENANCY_HISTORY_LOST']]);
    expect(
      readPlan(scene.told())
        .groups.map(({ tenants, sample, knownBy }) => [tenants, sample, knownBy])
        .sort(),
    ).toEqual([
      [1, ['acme'], 'tenant'],
      [1, ['globex'], 'tenant'],
      [2999, [], 'registry'],
    ]);
  });

  test('says when there is nothing to estimate from', async (scope) => {
    const scene = await createPlanScene(scope);
    const tenancy = await scene.open();
    await tenancy.provision('acme');
    await scene.write('0003_c.sql', 'SELECT 1;\n');
    await (await scene.open()).migrate({ all: true }, { dryRun: true });
    expect(readPlan(scene.told())).toMatchObject({ estimate: null, clusters: [{ tenantMs: null, estimateMs: null }] });
  });

  test('goes by what tenants took that went the same way, on the same cluster where there were any', async (scope) => {
    const scene = await createPlanScene(scope);
    const { url } = scene.database;
    const tenancy = await scene.open({
      clusters: { one: { url, concurrency: 2 }, two: { url, concurrency: 1 } },
      placement: ({ id }) => ({ cluster: id.startsWith('two') ? 'two' : 'one', driver: 'postgres-schema', name: `tenant_${id}` }),
    });
    const ids = ['one1', 'one2', 'one3', 'one4', 'two1', 'two2'];
    await tenancy.provision(ids);
    await tenancy.rollback({ ids }, { to: '1' });
    await tenancy.migrate({ ids: ['one1', 'one2', 'one3', 'two1'] });
    await scene.database.query(
      `UPDATE tenancy.run_tenants SET ms = CASE tenant WHEN 'one1' THEN 100 WHEN 'one2' THEN 200 WHEN 'one3' THEN 9000 ELSE 500 END
        WHERE from_version = '0001_a' AND to_version = '0002_b'`,
    );
    await tenancy.rollback({ ids: ['one1', 'one2', 'two1'] }, { to: '1' });
    scene.told();
    await tenancy.migrate({ all: true }, { dryRun: true });
    const { clusters, estimate } = readPlan(scene.told());
    // Two turns of the median on the first, and two of the only one there was on the second.
    expect([...clusters].sort((a, b) => (a.cluster < b.cluster ? -1 : 1))).toEqual([
      { cluster: 'one', tenants: 3, cap: 2, tenantMs: 200, estimateMs: 400 },
      { cluster: 'two', tenants: 2, cap: 1, tenantMs: 500, estimateMs: 1000 },
    ]);
    expect(estimate).toMatchObject({ ms: 1000, sampled: 4 });
    await tenancy.migrate({ clusters: ['two'] }, { dryRun: true, concurrency: 1 });
    expect(readPlan(scene.told()).estimate).toMatchObject({ ms: 1000 });
  });

  test('plans by the registry for a cluster that is down, and warns of it', async (scope) => {
    const scene = await createBehind(scope);
    const proxy = await createTcpProxy(scene.database.url);
    await proxy.close();
    const tenancy = await scene.open({ registry: { url: scene.database.url }, clusters: { main: { url: proxy.url } } });
    scene.told();
    expect(await tenancy.migrate({ all: true }, { dryRun: true })).toMatchObject({ exitCode: 0, pending: 2 });
    expect(scene.told().flatMap((event) => (event.type === 'run.warned' ? [event.code] : []))).toEqual(['TENANCY_CLUSTER_UNREACHABLE']);
    const asked = await tenancy.migrate({ all: true }, { dryRun: true, forceVerify: true });
    expect(asked.failed.map(({ error }) => error?.code)).toEqual(['TENANCY_CLUSTER_UNREACHABLE', 'TENANCY_CLUSTER_UNREACHABLE']);
  });

  test('names tenants that are in no state for it, as the run would', async (scope) => {
    const scene = await createBehind(scope);
    await scene.database.query(`UPDATE tenancy.tenants SET status = 'failed' WHERE id = 'acme'`);
    const tenancy = await scene.open();
    const report = await tenancy.migrate({ ids: ['acme', 'globex'] }, { dryRun: true });
    expect([report.pending, report.failed.map(({ tenant, error }) => [tenant, error?.code])]).toEqual([
      1,
      [['acme', 'TENANCY_STATE_REFUSED']],
    ]);
  });
});
