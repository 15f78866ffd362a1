import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { assertPlan } from '../rig/events-schema.js';
import { createBehind, refusal } from './plan-rig.js';

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
