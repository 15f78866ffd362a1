import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { canaryPassword } from '../rig/postgres.js';
import { createScene, type Scene } from './scene.js';

const withHooks = (hooks: string) => (db: { readonly url: string }) => ({ databaseUrl: db.url, configExtra: `hooks: {${hooks}},` });

async function readLog(run: Awaited<ReturnType<Scene['json']>>): Promise<string> {
  const log = run.finished.failed[0]?.error?.log;
  return log ? readFile(log, 'utf8') : '';
}

describe.concurrent('hooks', () => {
  test('run before and after each step, in order', async (scope) => {
    const names = [
      'beforeCreate',
      'afterCreate',
      'beforeMigrate',
      'afterMigrate',
      'beforeSeed',
      'seed',
      'afterSeed',
      'beforeVerify',
      'verify',
      'afterVerify',
    ];
    const leaving = ['beforeBackup', 'backup', 'afterBackup', 'beforeDrop', 'afterDrop'];
    const append = `(name) => async (ctx) => { const { appendFileSync } = await import('node:fs'); appendFileSync('order.txt', name + ' ' + ctx.tenant.id + '\\n'); }`;
    const scene = await createScene(
      scope,
      withHooks(`...Object.fromEntries(${JSON.stringify([...names, ...leaving])}.map((name) => [name, (${append})(name)]))`),
    );
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.ok(['tenant', 'deprovision', 'acme', '--confirm', 'acme']);
    const order = await readFile(`${scene.directory}/order.txt`, 'utf8');
    expect(order.trim().split('\n')).toEqual([...names, ...leaving].map((name) => `${name} acme`));
  });

  test.for([
    ['an Error', `throw new RangeError('out of buckets')`, 1, /^acme: the afterCreate hook failed: out of buckets$/],
    ['a text', `throw 'just a text'`, 1, /the afterCreate hook failed: it threw 'just a text', which is no Error/],
    ['nothing', 'throw undefined', 1, /the afterCreate hook failed: it threw undefined, which is no Error/],
    ['a cycle', 'const a = {}; a.a = a; throw a', 1, /the afterCreate hook failed: it threw .*which is no Error/],
    [
      'a TenancyError',
      `const { TenancyError } = await import('tenancy-cli'); throw new TenancyError('TENANCY_HOOK_FAILED', { tenant: ctx.tenant.id, hook: 'mine', reason: 'said so' })`,
      1,
      /the mine hook failed: said so/,
    ],
    ['a password', `throw new Error('no route to ' + ctx.url)`, 1, /no route to postgres:\/\/postgres:\*+@/],
  ] as const)('that throw %s fail the tenant in one sentence, and a re-run continues', async ([, code, exitCode, words], scope) => {
    const scene = await createScene(scope, withHooks(`afterCreate: async (ctx) => { if (process.env.BROKEN) { ${code} } }`));
    const failed = await scene.json(['tenant', 'provision', 'acme'], { env: { BROKEN: '1' } });
    expect([failed.exitCode, failed.finished.failed[0]?.error?.hook]).toEqual([exitCode, 'create']);
    expect(failed.finished.failed[0]?.error?.message).toMatch(words);
    expect(await readLog(failed)).not.toContain(canaryPassword);
    expect(await scene.db.query('SELECT status, last_error::text LIKE $1 AS leaks FROM tenancy.tenants', [`%${canaryPassword}%`])).toEqual([
      { status: 'failed', leaks: false },
    ]);
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
  });

  test('are handed a bound client, a URL, an environment, exec and a log', async (scope) => {
    const scene = await createScene(
      scope,
      withHooks(`
        create: async (ctx) => {
          await ctx.driver.create();
          await ctx.db.query('CREATE TABLE made_by_hook (name text)');
        },
        seed: async (ctx) => {
          const { stdout } = await ctx.exec(process.execPath, ['-e', 'console.log(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(TENANCY_|DATABASE_)/.test(name)))))']);
          const { DATABASE_URL, ...seen } = JSON.parse(stdout);
          await ctx.db.query('INSERT INTO made_by_hook VALUES ($1)', [JSON.stringify({ ...seen, isUrl: DATABASE_URL === ctx.url, dryRun: ctx.dryRun, to: ctx.to, from: ctx.from, placement: ctx.placement })]);
          const { default: pg } = await import('${import.meta.resolve('pg')}');
          const client = new pg.Client({ connectionString: ctx.url });
          await client.connect();
          await client.query("INSERT INTO made_by_hook VALUES ('through its own client')");
          await client.end();
          ctx.log('a line of its own \\u001b[31mred');
        },
        verify: async (ctx) => { await ctx.exec(process.execPath, ['-e', 'console.error("not fit"); process.exit(3)']); },`),
    );
    const failed = await scene.json(['tenant', 'provision', 'acme'], { env: { TENANCY_TENANT: 'somebody else' } });
    expect(failed.finished.failed[0]?.error).toMatchObject({ hook: 'verify', message: expect.stringContaining('exited with 3') });
    const log = await readLog(failed);
    expect(log).toContain('a line of its own');
    expect(log).toContain('not fit');
    const rows = await scene.db.query<{ name: string }>('SELECT name FROM tenant_acme.made_by_hook');
    expect(rows).toHaveLength(2);
    expect(JSON.parse(rows.find(({ name }) => name.startsWith('{'))?.name ?? '{}')).toMatchObject({
      TENANCY_TENANT: 'acme',
      TENANCY_SCHEMA: 'tenant_acme',
      TENANCY_DATABASE: scene.db.name,
      TENANCY_RUN_ID: failed.finished.run,
      isUrl: true,
      dryRun: false,
      to: '0001_accounts',
      placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_acme' },
    });
  });

  test.for([
    ['nothing', '', 'made nothing: there is no tenant_acme'],
    [
      'a schema without a marker',
      `await ctx.driver.create(); await ctx.db.query('COMMENT ON SCHEMA tenant_acme IS NULL');`,
      'left tenant_acme without our marker',
    ],
  ] as const)('a create hook that makes %s fails the create step', async ([, code, words], scope) => {
    const scene = await createScene(scope, withHooks(`create: async (ctx) => { ${code} },`));
    const failed = await scene.json(['tenant', 'provision', 'acme']);
    expect(failed.finished.failed[0]?.error).toMatchObject({
      hook: 'create',
      message: `acme: the create hook failed: it ended well, but ${words} on cluster main (\`await ctx.driver.create()\` makes and marks it)`,
    });
    expect(failed.of('step.finished').map(({ step, status }) => `${step} ${status}`)).toEqual(['create failed']);
  });

  test('a bare migrate function runs every time and shows as unversioned', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      config: `export default {
        clusters: { main: { url: ${JSON.stringify(db.url)} } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
        hooks: { migrate: async (ctx) => { await ctx.db.query('CREATE TABLE IF NOT EXISTS runs (at int); INSERT INTO runs VALUES (1)'); } },
      };`,
    }));
    await scene.ok(['tenant', 'provision', 'acme']);
    expect((await scene.json(['tenant', 'migrate', '--all'])).finished.counts).toMatchObject({ applied: 1 });
    expect(await scene.db.query('SELECT count(*)::int AS runs FROM tenant_acme.runs')).toEqual([{ runs: 2 }]);
    expect((await scene.ok(['tenant', 'show', 'acme'])).stdout).toContain('unversioned');
  });

  test('a migrator that ends well without reaching its target is unverified, which is a failure', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      config: `export default {
        clusters: { main: { url: ${JSON.stringify(db.url)} } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
        hooks: { migrate: { type: 'migrator', name: 'theirs', run: async () => {}, target: async () => 'v2', readVersion: async () => process.env.REACHED ?? 'v1' } },
      };`,
    }));
    const failed = await scene.json(['tenant', 'provision', 'acme']);
    expect([failed.exitCode, failed.finished.failed[0]?.outcome, failed.finished.counts.unverified]).toEqual([1, 'unverified', 1]);
    expect(failed.finished.failed[0]?.error?.message).toContain('v1 instead of v2');
    expect((await scene.json(['tenant', 'provision', 'acme'], { env: { REACHED: 'v2' } })).exitCode).toBe(0);
    const lagging = await scene.json(['tenant', 'migrate', '--all', '--force-verify']);
    expect([lagging.exitCode, lagging.finished.counts.unverified]).toEqual([1, 1]);
  });

  test('the version that a migrator reads is recorded, whichever way the tenant got there', async (scope) => {
    const scene = await createScene(scope, (db) => ({
      config: `const table = 'CREATE TABLE IF NOT EXISTS version AS SELECT 0 AS v';
      const version = async ({ db }) => (await db.query(table + '; SELECT max(v)::text AS v FROM version')).rows[0].v;
      export default {
        clusters: { main: { url: ${JSON.stringify(db.url)} } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
        hooks: { migrate: {
          type: 'migrator', name: 'theirs', target: async () => process.env.NEWEST ?? '1', readVersion: version,
          run: async ({ db, to }) => { await db.query('INSERT INTO version VALUES (' + to + ')'); },
        } },
      };`,
    }));
    const versions = () => scene.db.query('SELECT id, schema_version AS v FROM tenancy.tenants ORDER BY id');
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    expect(await versions()).toEqual([
      { id: 'acme', v: '1' },
      { id: 'globex', v: '1' },
    ]);
    await scene.db.query('INSERT INTO tenant_globex.version VALUES (2)');
    const run = await scene.json(['tenant', 'migrate', '--all'], { env: { NEWEST: '2' } });
    expect(run.finished.counts).toMatchObject({ applied: 1, 'up-to-date': 1 });
    expect(await versions()).toEqual([
      { id: 'acme', v: '2' },
      { id: 'globex', v: '2' },
    ]);
  });

  test('onEvent is told everything, and its failure is one warning', async (scope) => {
    const scene = await createScene(
      scope,
      withHooks(
        `onEvent: async (event) => { const { appendFileSync } = await import('node:fs'); appendFileSync('events.txt', event.type + '\\n'); throw new Error('no pager'); }`,
      ),
    );
    const run = await scene.json(['tenant', 'provision', 'acme', 'globex']);
    expect(run.exitCode).toBe(0);
    expect(run.of('run.warned').map(({ message }) => message)).toEqual([expect.stringContaining('no pager')]);
    const told = (await readFile(`${scene.directory}/events.txt`, 'utf8')).trim().split('\n');
    expect(told.sort()).toEqual(
      run.events
        .filter(({ type }) => type !== 'run.warned')
        .map(({ type }) => type)
        .sort(),
    );
  });
});
