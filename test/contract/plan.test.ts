import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { assertEvent, assertPlan } from '../rig/events-schema.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { createPlanScene, type PlanScene, readPlan, refusal } from './plan-rig.js';

/** Two tenants at the first migration, and the second to come. */
async function createBehind(scope: { onTestFinished(cleanUp: () => Promise<void>): void }): Promise<PlanScene> {
  const scene = await createPlanScene(scope);
  const tenancy = await scene.open();
  await tenancy.provision(['acme', 'globex']);
  await tenancy.rollback({ all: true }, { to: '1' });
  return scene;
}

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

describe('a saved plan', () => {
  test('is whole, without secrets, and carried out exactly', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile } = scene;
    const tenancy = await scene.open();
    await tenancy.migrate({ all: true }, { dryRun: true, save: planFile });
    const json = await readFile(planFile, 'utf8');
    const plan = assertPlan(json);
    expect(plan.groups).toMatchObject([
      { schemaVersion: '0001_a', to: '0002_b', migrations: ['0002_b'], count: 2, tenants: { acme: 1, globex: 1 }, status: 'active' },
    ]);
    const password = decodeURIComponent(new URL(scene.database.url).password);
    if (password !== '') expect(json).not.toContain(password);
    expect(json).not.toContain('postgres://');
    expect((await readdir(scene.directory)).filter((file) => file.includes('plan.json'))).toEqual(['plan.json']);

    await tenancy.provision('later');
    await tenancy.rollback({ ids: ['later'] }, { to: '1' });
    scene.told();
    const report = await tenancy.carryOut('migrate', planFile);
    expect(report).toMatchObject({ exitCode: 0, selected: 2, counts: { applied: 2 } });
    const warned = scene.told().flatMap((event) => (event.type === 'run.warned' ? [[event.code, event.message]] : []));
    expect(warned).toEqual([['TENANCY_PLAN_INCOMPLETE', expect.stringContaining('left as it is: later')]]);
    expect((await tenancy.find('later')).schemaVersion).toBe('0001_a');
    expect((await tenancy.find('acme')).schemaVersion).toBe('0002_b');
    // What it planned is done.
    expect(await refusal(tenancy.carryOut('migrate', planFile))).toMatch(
      /^TENANCY_PLAN_MOVED 4: .*acme is at 0002_b, and was at 0001_a; globex/,
    );
  });

  test('is refused, naming what moved, before anything is touched', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile, database } = scene;
    await (await scene.open()).migrate({ all: true }, { dryRun: true, save: planFile });
    const sql = await readFile(`${scene.directory}/0002_b.sql`, 'utf8');
    // The cluster's identity is looked up under a lock.
    let before = await scene.dump({ withLocks: false });
    const expectMoved = async (words: string, config = {}): Promise<void> => {
      const tenancy = await scene.open(config);
      const message = await refusal(tenancy.carryOut('migrate', planFile));
      await tenancy.close();
      expect(message).toContain('TENANCY_PLAN_MOVED 4: ');
      expect(message).toContain(words);
      expect(await scene.dump({ withLocks: false })).toEqual(before);
    };
    await scene.write('0002_b.sql', `${sql}-- more\n`);
    await expectMoved('0002_b was edited');
    await scene.write('0002_b.sql', sql);
    await scene.write('0003_c.sql', 'SELECT 1;\n');
    await expectMoved('0003_c is new; the target is 0003_c, and was 0002_b');
    await rm(`${scene.directory}/0003_c.sql`);
    await expectMoved("the migrator is the built-in migrator, public read as the tenant's schema", {
      migrations: { directory: '.', schemas: { public: 'tenant' } },
    });
    await expectMoved('extensions.schema of the config is elsewhere, and was extensions', { extensions: { schema: 'elsewhere' } });

    const expectTenantMoved = async (change: string, undo: string, words: string): Promise<void> => {
      await database.query(`UPDATE tenancy.tenants SET ${change} WHERE id = 'globex'`);
      before = await scene.dump({ withLocks: false });
      await expectMoved(words);
      await database.query(`UPDATE tenancy.tenants SET ${undo} WHERE id = 'globex'`);
    };
    await expectTenantMoved(`status = 'suspended'`, `status = 'active'`, 'globex is suspended, and was active');
    await expectTenantMoved('incarnation = 2', 'incarnation = 1', 'globex was deprovisioned and provisioned again');
    await database.query(`UPDATE tenancy.tenants SET id = 'gone' WHERE id = 'globex'`);
    before = await scene.dump({ withLocks: false });
    await expectMoved('globex is not registered any more');
  });

  test('is not begun where it is no plan, another command, half a plan, or over somebody else’s file', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile } = scene;
    const tenancy = await scene.open();
    const config = `${scene.directory}/tenancy.config.json`;
    await writeFile(config, '{}');
    expect(await refusal(tenancy.migrate({ all: true }, { dryRun: true, save: config }))).toMatch(/^TENANCY_PLAN_UNSAVED 4/);
    expect(await refusal(tenancy.migrate({ all: true }, { dryRun: true, save: `${scene.directory}/no/plan.json` }))).toMatch(
      /^TENANCY_PLAN_UNSAVED 4/,
    );
    expect(await refusal(tenancy.migrate({ all: true }, { save: planFile }))).toMatch(/^TENANCY_OPTION_REJECTED 2: --save/);
    expect(await refusal(tenancy.carryOut('migrate', planFile))).toMatch(/^TENANCY_PLAN_REJECTED 2: .*can't be read/);
    expect(await refusal(tenancy.carryOut('migrate', config))).toMatch(/^TENANCY_PLAN_REJECTED 2: .*no plan of ours/);
    await tenancy.migrate({ all: true }, { dryRun: true, save: planFile });
    expect(await refusal(tenancy.carryOut('rollback', planFile))).toMatch(/^TENANCY_PLAN_REJECTED 2: .*a plan to migrate/);
    const json = await readFile(planFile, 'utf8');
    await writeFile(planFile, json.replace('"globex": 1', '"umbrella": 1'));
    expect(await refusal(tenancy.carryOut('migrate', planFile))).toMatch(/^TENANCY_PLAN_REJECTED 2: .*not the one that was saved/);
    await writeFile(planFile, json.slice(0, 200));
    expect(await refusal(tenancy.carryOut('migrate', planFile))).toMatch(/^TENANCY_PLAN_REJECTED 2: .*no JSON/);
    expect((await tenancy.find('acme')).schemaVersion).toBe('0001_a');
  });

  test('of a rollback is carried out once its size is confirmed', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile } = scene;
    const tenancy = await scene.open();
    await tenancy.rollback({ all: true }, { to: 'none', dryRun: true, save: planFile });
    expect(assertPlan(await readFile(planFile, 'utf8')).groups).toMatchObject([
      { from: '0001_a', to: null, migrations: ['0001_a'], count: 2 },
    ]);
    await scene.write('0001_a.down.sql', 'DROP TABLE IF EXISTS a;\n');
    expect(await refusal((await scene.open()).carryOut('rollback', planFile))).toMatch(/^TENANCY_PLAN_MOVED 4: .*0001_a was edited/);
    await scene.write('0001_a.down.sql', 'DROP TABLE a;\n');
    const asked: number[] = [];
    const report = await tenancy.carryOut('rollback', planFile, { confirm: async (selected) => void asked.push(selected) });
    expect([report.exitCode, report.counts.applied, asked]).toEqual([0, 2, [2]]);
    expect((await tenancy.find('globex')).schemaVersion).toBeNull();
  });

  test('is retried to its own target, whatever is newest by then', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile, database } = scene;
    await (await scene.open()).migrate({ all: true }, { dryRun: true, save: planFile });
    await database.query('CREATE TABLE tenant_globex.b (id int)');
    const report = await (await scene.open()).carryOut('migrate', planFile);
    expect([report.exitCode, report.counts.applied, report.counts.failed]).toEqual([1, 1, 1]);
    await database.query('DROP TABLE tenant_globex.b');
    await scene.write('0003_c.sql', 'CREATE TABLE c (id int);\n');
    const tenancy = await scene.open();
    expect(await tenancy.retryRun('last')).toMatchObject({ exitCode: 0, selected: 1, counts: { applied: 1 } });
    expect((await tenancy.find('globex')).schemaVersion).toBe('0002_b');
  });

  test('reads again those whose own history made it, and all with --force-verify', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile, database } = scene;
    const tenancy = await scene.open();
    await tenancy.migrate({ all: true }, { dryRun: true, save: planFile });
    // Behind the registry's back.
    await database.query(`DELETE FROM tenant_globex._tenancy_migrations WHERE name = '0001_a'`);
    await expect(tenancy.carryOut('migrate', planFile, { dryRun: true })).resolves.toMatchObject({ pending: 2 });
    expect(await refusal(tenancy.carryOut('migrate', planFile, { forceVerify: true }))).toMatch(/^TENANCY_PLAN_MOVED 4: .*globex/);
    await database.query(`UPDATE tenancy.tenants SET migrations_hash = NULL WHERE id = 'acme'`);
    await tenancy.migrate({ ids: ['acme'] }, { dryRun: true, save: planFile });
    expect(assertPlan(await readFile(planFile, 'utf8')).groups).toMatchObject([
      { knownBy: 'tenant', from: '0001_a', migrationsHash: null },
    ]);
    await database.query(`DELETE FROM tenant_acme._tenancy_migrations WHERE name = '0001_a'`);
    expect(await refusal(tenancy.carryOut('migrate', planFile))).toMatch(/^TENANCY_PLAN_MOVED 4: .*acme/);
  });

  test('gives a tenant nothing but what was planned, also where it moves while the plan is carried out', async (scope) => {
    const scene = await createBehind(scope);
    const { planFile, database } = scene;
    await (await scene.open()).migrate({ all: true });
    await scene.write('0003_c.sql', 'CREATE TABLE c (id int);\n');
    await (await scene.open()).migrate({ all: true }, { dryRun: true, save: planFile });
    // Between the check and the turn of globex somebody takes its second migration back by hand.
    const tenancy = await scene.open({
      hooks: {
        beforeMigrate: async ({ tenant }) => {
          if (tenant.id !== 'acme') return;
          await database.query(`DROP TABLE tenant_globex.b; DELETE FROM tenant_globex._tenancy_migrations WHERE name = '0002_b'`);
        },
      },
    });
    const report = await tenancy.carryOut('migrate', planFile, { concurrency: 1 });
    expect([report.counts.applied, report.failed.map(({ tenant, error }) => [tenant, error?.code])]).toEqual([
      1,
      [['globex', 'TENANCY_PLAN_LEFT']],
    ]);
    expect(await database.query(`SELECT to_regclass('tenant_globex.b') AS b, to_regclass('tenant_globex.c') AS c`)).toEqual([
      { b: null, c: null },
    ]);
  });
});
