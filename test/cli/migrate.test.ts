import { describe, expect, test } from 'vitest';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { createScene } from './scene.js';

const one = { '0001_a.sql': 'CREATE TABLE a (id int);\n' };
const two = 'CREATE TABLE b (id int);\n';

describe.concurrent('migrate', () => {
  test('selects by id, stdin, label, cluster, status and exclusion, and by nothing else', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    await scene.ok(['tenant', 'provision', 'pro1', 'pro2', '--label', 'plan=pro', '--label', 'region=eu']);
    await scene.ok(['tenant', 'provision', 'free1', 'free2', '--label', 'plan=free']);
    await scene.ok(['tenant', 'suspend', 'free2']);
    await scene.write('migrations/0002_b.sql', two);
    const selected = async (args: readonly string[], input = ''): Promise<readonly (string | number)[]> => {
      const run = await scene.json(['tenant', 'migrate', ...args, '--dry-run'], { input });
      return [
        run.exitCode,
        ...run
          .of('tenant.planned')
          .map(({ tenant }) => tenant)
          .sort(),
      ];
    };
    expect(await selected(['pro1', 'free2'])).toEqual([0, 'free2', 'pro1']);
    expect(await selected(['-'], 'pro2\nfree1\n')).toEqual([0, 'free1', 'pro2']);
    expect(await selected(['--all'])).toEqual([0, 'free1', 'free2', 'pro1', 'pro2']);
    expect(await selected(['--label', 'plan=pro'])).toEqual([0, 'pro1', 'pro2']);
    expect(await selected(['--label', 'plan=pro', '--label', 'region=us'])).toEqual([0]);
    expect(await selected(['--cluster', 'main', '--exclude', 'pro1', '--exclude', 'free1'])).toEqual([0, 'free2', 'pro2']);
    expect(await selected(['--status', 'suspended'])).toEqual([0, 'free2']);

    const refuse = async (args: readonly string[], input = ''): Promise<readonly unknown[]> => {
      const { exitCode, finished } = await scene.json(['tenant', 'migrate', ...args], { input });
      return [exitCode, finished.error?.code];
    };
    expect(await refuse([])).toEqual([2, 'TENANCY_SELECTION_MISSING']);
    expect(await refuse(['-'])).toEqual([2, 'TENANCY_STDIN_EMPTY']);
    expect(await refuse(['--exclude', 'pro1'])).toEqual([2, 'TENANCY_SELECTION_MISSING']);
    expect(await refuse(['pro1', '--all'])).toEqual([2, 'TENANCY_SELECTION_REFUSED']);
    expect(await refuse(['pro1', 'no*'])).toEqual([2, 'TENANCY_ID_REJECTED']);
    expect(await refuse(['--status', 'asleep'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await refuse(['--label', 'plan'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await refuse(['--cluster', 'mian'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await refuse(['--all', '--max-failures', '-1'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await refuse(['--all', '--max-failures', '101%'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await refuse(['--all', '--concurrency', '0'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    expect(await refuse(['--all', '--timeout', '10'])).toEqual([2, 'TENANCY_OPTION_REJECTED']);
    const hintOf = async (...args: string[]) => (await scene.json(['tenant', 'migrate', ...args])).finished.error?.hint;
    expect(await hintOf('--status', 'suspend')).toBe('did you mean suspended?');
    expect(await hintOf('--cluster', 'mian')).toBe('did you mean main?');
    expect(await hintOf('--status', 'asleep')).toBeUndefined();
    expect(await scene.json(['tenant', 'list', '--cluster', 'mian'])).toMatchObject({
      exitCode: 2,
      finished: { error: { hint: 'did you mean main?' } },
    });
    const unknown = await scene.json(['tenant', 'migrate', 'pro1', 'pro3']);
    expect([unknown.exitCode, unknown.finished.error?.message, unknown.finished.error?.hint]).toEqual([
      2,
      'no tenant is registered as pro3',
      'did you mean pro1 or pro2?',
    ]);
    expect(await scene.db.query('SELECT count(*)::int AS behind FROM tenancy.tenants WHERE schema_version = $1', ['0001_a'])).toEqual([
      { behind: 4 },
    ]);
  });

  test('goes to --to and on to the newest, says what it would do, and exits 3 only when asked to', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_b.sql', two);
    await scene.write('migrations/0003_c.sql', 'CREATE TABLE c (id int);\n');
    const before = await scene.snapshot();
    const plan = await scene.json(['tenant', 'migrate', '--all', '--dry-run', '--exit-code']);
    expect(plan.exitCode).toBe(3);
    expect(plan.of('tenant.planned').map(({ tenant, from, to, migrations }) => [tenant, from, to, migrations])).toEqual(
      expect.arrayContaining([
        ['acme', '0001_a', '0003_c', ['0002_b', '0003_c']],
        ['globex', '0001_a', '0003_c', ['0002_b', '0003_c']],
      ]),
    );
    const words = await scene.run(['tenant', 'migrate', '--all', '--dry-run']);
    expect([words.exitCode, words.stdout + words.stderr]).toEqual([0, expect.not.stringContaining('run retry')]);
    expect(await scene.snapshot()).toEqual(before);

    for (const to of ['2', '0002', '0002_b']) {
      const run = await scene.json(['tenant', 'migrate', 'acme', '--to', to]);
      expect([to, run.exitCode, run.finished.counts.applied]).toEqual([to, 0, to === '2' ? 1 : 0]);
    }
    const unknown = await scene.json(['tenant', 'migrate', 'acme', '--to', '0002_d']);
    expect([unknown.exitCode, unknown.finished.error?.hint]).toEqual([2, expect.stringContaining('0002_b')]);
    const all = await scene.json(['tenant', 'migrate', '--all']);
    expect([all.exitCode, all.finished.counts.applied]).toEqual([0, 2]);
    const older = await scene.json(['tenant', 'migrate', 'acme', '--to', '1', '--force-verify']);
    expect(older.exitCode).toBe(4);
    const done = await scene.json(['tenant', 'migrate', '--all', '--dry-run', '--exit-code']);
    expect([done.exitCode, done.finished.counts['up-to-date']]).toEqual([0, 2]);
  });

  test('with nothing to do opens no connection to a tenant, and records no run', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
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
    await scene.ok(['tenant', 'provision', 'acme', 'globex', 'initech']);
    const [connections, runs] = [target.connectionCount, await scene.db.query('SELECT id FROM tenancy.runs')];
    const run = await scene.json(['tenant', 'migrate', '--all']);
    expect([run.exitCode, run.finished.counts['up-to-date'], run.of('tenant.finished')]).toEqual([0, 3, []]);
    expect(target.connectionCount).toBe(connections);
    expect(await scene.db.query('SELECT id FROM tenancy.runs')).toEqual(runs);
    expect((await scene.ok(['tenant', 'migrate', '--all'])).stdout).toMatch(/3 tenants up to date, nothing to do/);

    await scene.db.query(`DELETE FROM tenant_acme._tenancy_migrations`);
    expect((await scene.json(['tenant', 'migrate', '--all'])).finished.counts['up-to-date']).toBe(3);
    const verified = await scene.json(['tenant', 'migrate', '--all', '--force-verify']);
    expect([verified.exitCode, verified.finished.failed.map(({ tenant }) => tenant)]).toEqual([1, ['acme']]);
    expect(target.connectionCount).toBeGreaterThan(connections);
  });

  test('says of one that is named and not in use what to type, whatever version it is at', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'bystander']);
    for (const [status, next] of [
      ['failed', 'tenancy tenant provision acme'],
      ['deprovisioning', 'tenancy tenant deprovision acme'],
    ] as const) {
      // As a killed command leaves it: with its version, and no error.
      await scene.db.query("UPDATE tenancy.tenants SET status = $1 WHERE id = 'acme'", [status]);
      for (const more of [[], ['--dry-run']]) {
        const named = await scene.json(['tenant', 'migrate', 'acme', ...more]);
        expect([status, named.exitCode]).toEqual([status, 4]);
        expect(JSON.stringify(named.finished)).toContain(next);
      }
      expect((await scene.json(['tenant', 'migrate', '--all'])).finished.counts['up-to-date']).toBe(1);
    }
  });

  test('one broken tenant blocks nobody, and only it is done again', async (scope) => {
    const scene = await createScene(scope, { migrations: one });
    const ids = ['t1', 't2', 't3', 't4'];
    await scene.ok(['tenant', 'provision', ...ids]);
    await scene.db.query('CREATE TABLE tenant_t3.b (id int)');
    await scene.write('migrations/0002_b.sql', `-- the second\n${two}`);
    const run = await scene.json(['tenant', 'migrate', '--all']);
    expect([run.exitCode, run.finished.counts.applied, run.finished.counts.failed]).toEqual([1, 3, 1]);
    expect(run.finished.failed).toMatchObject([
      {
        tenant: 't3',
        attempts: 1,
        from: '0001_a',
        to: null,
        error: { code: 'TENANCY_MIGRATION_FAILED', hook: 'migrate', retryable: false },
      },
    ]);
    expect(run.finished.failed[0]?.error?.message).toMatch(/^t3: migration 0002_b, line 2, column \d+: relation "b" already exists/);
    expect(await scene.db.query(`SELECT status, last_error ->> 'code' AS code FROM tenancy.tenants WHERE id = 't3'`)).toEqual([
      { status: 'active', code: 'TENANCY_MIGRATION_FAILED' },
    ]);
    const words = await scene.run(['tenant', 'migrate', '--all']);
    expect(words.exitCode).toBe(1);
    expect(words.stderr).toContain('CREATE TABLE b (id int)');
    expect(words.stderr).toMatch(/tenancy run retry \S+/);
    await scene.db.query('DROP TABLE tenant_t3.b');
    const again = await scene.json(['tenant', 'migrate', '--all']);
    expect([again.exitCode, again.of('tenant.finished').map(({ tenant }) => tenant), again.finished.counts['up-to-date']]).toEqual([
      0,
      ['t3'],
      3,
    ]);
    expect(await scene.db.query(`SELECT last_error FROM tenancy.tenants WHERE id = 't3'`)).toEqual([{ last_error: null }]);
  });

  test('refuses files that were edited, removed or slipped in, before it runs anything', async (scope) => {
    const scene = await createScene(scope, { migrations: { ...one, '0003_c.sql': 'CREATE TABLE c (id int);\n' } });
    await scene.ok(['tenant', 'provision', 'acme']);
    const refused = async (args: readonly string[] = []): Promise<readonly unknown[]> => {
      const run = await scene.json(['tenant', 'migrate', 'acme', ...args]);
      return [run.exitCode, run.finished.failed[0]?.error?.code, run.of('migration.finished').length];
    };
    await scene.write('migrations/0004_d.sql', 'CREATE TABLE d (id int);\n');
    await scene.write('migrations/0003_c.sql', 'CREATE TABLE c (id bigint);\n');
    expect(await refused()).toEqual([4, 'TENANCY_MIGRATION_EDITED', 0]);
    await scene.write('migrations/0003_c.sql', 'CREATE TABLE c (id int);\n');
    await scene.write('migrations/0002_b.sql', two);
    expect(await refused()).toEqual([4, 'TENANCY_MIGRATION_OUT_OF_ORDER', 0]);
    expect(await scene.db.query(`SELECT to_regclass('tenant_acme.d') AS d`)).toEqual([{ d: null }]);
    expect(await refused(['--allow-out-of-order'])).toEqual([0, undefined, 2]);
    const { rename, rm } = await import('node:fs/promises');
    await rename(`${scene.directory}/migrations/0003_c.sql`, `${scene.directory}/migrations/0003_see.sql`);
    const missing = await scene.json(['tenant', 'migrate', 'acme']);
    expect([missing.exitCode, missing.finished.failed[0]?.error?.code, missing.finished.failed[0]?.error?.hint]).toEqual([
      4,
      'TENANCY_MIGRATION_MISSING',
      expect.stringContaining('0003_c'),
    ]);
    await rename(`${scene.directory}/migrations/0003_see.sql`, `${scene.directory}/migrations/0003_c.sql`);
    await rm(`${scene.directory}/migrations/0004_d.sql`);
    const ahead = await scene.json(['tenant', 'migrate', 'acme']);
    expect([ahead.exitCode, ahead.of('run.warned').map(({ code }) => code)]).toEqual([0, ['TENANCY_TENANT_AHEAD']]);
    const fleet = await scene.json(['tenant', 'migrate', '--all', '--dry-run', '--exit-code']);
    expect([fleet.exitCode, fleet.of('run.warned').map(({ code }) => code)]).toEqual([0, ['TENANCY_TENANT_AHEAD']]);
  });

  test.for([
    ['a transaction of its own', 'CREATE TABLE b (id int);\nCOMMIT;\n', /0002_b\.sql.*2|line 2/s],
    ['the schema public', 'CREATE TABLE "public"."b" (id int);\n', /public/],
    ['the schema public without quotes', 'SELECT 1;\nALTER TABLE public.a ADD COLUMN b int;\n', /public/],
    ['an end that never comes', "SELECT 'open\n", /0002_b/],
  ] as const)('refuses a file with %s before any tenant is touched', async ([, sql, words], scope) => {
    const scene = await createScene(scope, { migrations: one });
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.write('migrations/0002_b.sql', sql);
    const run = await scene.json(['tenant', 'migrate', '--all']);
    expect(run.exitCode).not.toBe(0);
    const error = run.finished.error ?? run.finished.failed[0]?.error;
    expect(`${error?.message}\n${error?.hint}`).toMatch(words);
    expect(run.of('migration.finished')).toEqual([]);
    const planned = await scene.json(['tenant', 'migrate', '--all', '--dry-run']);
    expect(planned.exitCode).toBe(run.exitCode);
  });

  test('runs files that name public in the tenant where that is asked for, and shares extensions', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      databaseUrl: db.url,
      configExtra: `migrations: { directory: './migrations', schemas: { public: 'tenant' } },`,
      migrations: {
        '0001_a.sql':
          'CREATE EXTENSION IF NOT EXISTS citext;\nCREATE TABLE "public"."a" (name citext);\nINSERT INTO public.a VALUES (\'X\');\n',
      },
    }));
    expect((await scene.json(['tenant', 'provision', 'acme', 'globex', 'initech'])).exitCode).toBe(0);
    expect(
      await scene.db.query(
        `SELECT name OPERATOR(extensions.=) 'x'::extensions.citext AS is_equal FROM tenant_acme.a UNION ALL SELECT name OPERATOR(extensions.=) 'x'::extensions.citext FROM tenant_globex.a`,
      ),
    ).toEqual([{ is_equal: true }, { is_equal: true }]);
    expect(await scene.db.query(`SELECT extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname = 'citext'`)).toEqual([
      { schema: 'extensions' },
    ]);
    expect((await scene.json(['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'])).exitCode).toBe(0);
    expect(await scene.db.query(`SELECT name::text FROM tenant_globex.a`)).toEqual([{ name: 'X' }]);
  });
});
