import { describe, expect, it } from 'vitest';
import { describeConfig } from '../../src/config/print.js';
import { parseTenantId } from '../../src/tenant.js';
import { redact } from '../../src/util/redact.js';
import { failure, resolve, sound, template } from './config-rig.js';

const _acme = { id: parseTenantId('Acme'), labels: { plan: 'pro' } };

describe('checking', () => {
  const hook = 'expected a function `(ctx) => …`';
  const cases: readonly [string, object, string][] = [
    [
      'url',
      { clusters: { main: { url: 'foo' } } },
      "`clusters.main.url`: expected a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR, got 'foo'",
    ],
    [
      'missing url',
      { clusters: { main: {} } },
      '`clusters.main.url`: expected a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR, got undefined',
    ],
    [
      'mistyped scheme',
      { clusters: { main: { url: 'postgres//u:hunter22@h' } } },
      "`clusters.main.url`: expected a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR, got 'postgres//u:***@h'",
    ],
    [
      'raw password',
      { clusters: { main: { url: 'postgres://u:p/w@h/x' } } },
      "`clusters.main.url`: 'postgres://u:***@h/x' is not a valid URL; in a password, @ is written %40, / %2F, # %23, ? %3F, : %3A and % %25",
    ],
    [
      'raw password that leaves a host',
      { clusters: { main: { url: 'mysql://u:C@n/ary#9@127.0.0.1:3306/x' } } },
      "`clusters.main.url`: 'mysql://u:***@127.0.0.1:3306/x' is not a valid URL; in a password, @ is written %40, / %2F, # %23, ? %3F, : %3A and % %25",
    ],
    [
      'mysql',
      { clusters: { main: { url: 'mysql:/h' } } },
      "`clusters.main.url`: expected a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR, got 'mysql:/h'",
    ],
    [
      'mongodb',
      { registry: { url: 'mongodb://u:p/w@a,b/db' } },
      "`registry.url`: 'mongodb://u:***@a,b/db' is not a valid URL; in a password, @ is written %40, / %2F, # %23, ? %3F, : %3A and % %25",
    ],
    [
      'embedded',
      { clusters: { main: { url: 'embedded:' } } },
      '`clusters.main.url`: expected a directory after embedded:, such as embedded:.tenancy/postgres',
    ],
    ['no cluster', { clusters: {} }, "`clusters`: expected at least one cluster, such as { main: { url: 'postgres://…' } }"],
    [
      'fraction',
      { clusters: { main: { url: 'embedded:x', concurrency: 1.5 } } },
      '`clusters.main.concurrency`: expected a whole number, got 1.5',
    ],
    [
      'zero',
      { clusters: { main: { url: 'embedded:x', concurrency: 0 } } },
      '`clusters.main.concurrency`: expected a whole number of at least 1, got 0',
    ],
    ['unknown key', { migratoins: {} }, '`migratoins`: unknown key; did you mean `migrations`?'],
    ['unknown key below', { hooks: { befroeCreate: () => {} } }, '`hooks.befroeCreate`: unknown key; did you mean `beforeCreate`?'],
    [
      'duration without unit',
      { defaults: { timeout: '30' } },
      '`defaults.timeout`: expected a duration with its unit, such as 30s or 30ms, or none',
    ],
    ['hook', { hooks: { create: 'x' } }, `\`hooks.create\`: ${hook}`],
    [
      'migrate',
      { hooks: { migrate: { directory: 'x' } } },
      '`hooks.migrate`: expected sqlMigrations({ directory }), a migrator { type: "migrator", name, run, target, readVersion }, or a function',
    ],
    [
      'migrator',
      { hooks: { migrate: { type: 'migrator', name: 'x', run: 1, target: () => {}, readVersion: () => {} } } },
      `\`hooks.migrate.run\`: ${hook}`,
    ],
    [
      'seeds twice',
      { seeds: 'x.sql', hooks: { seed: () => {} } },
      '`seeds`: it is short for `hooks.seed`, which is given too: keep one of them',
    ],
    [
      'template without id',
      { placement: { ...template, name: 'all' } },
      '`placement.name`: expected {id} in it, such as tenant_{id}: without it all tenants would live in "all"',
    ],
    [
      'template with more',
      { placement: { ...template, name: '{id}_{region}' } },
      '`placement.name`: {region} is not understood: {id} is all that a name may have in braces',
    ],
    [
      'template elsewhere',
      { placement: { ...template, cluster: 'mian' } },
      "`placement.cluster`: there is no cluster 'mian' in `clusters`, only main; did you mean main?",
    ],
    [
      'no placement',
      { placement: undefined },
      "`placement`: expected a function `(tenant) => ({ cluster, driver, name })`, or { cluster, driver, name: 'tenant_{id}' }",
    ],
  ];
  for (const [title, change, message] of cases) {
    it(`names path and expectation: ${title}`, async () => {
      expect(await failure(resolve({ ...sound, ...change }))).toBe(`the config: ${message}`);
    });
  }

  it('lists every mistake', async () => {
    expect(await failure(resolve({ clusters: { main: { url: 'embedded:x', regoin: 'eu' } }, placement: template, logs: 3 }))).toBe(
      'the config: `clusters.main.regoin`: unknown key; did you mean `region`?\n  also `logs`: expected a text, got 3',
    );
  });
});

describe('a pool that names no driver', () => {
  const pooled = (placement: unknown, driver = {}): object => ({
    clusters: { main: { url: 'postgres://u:pw@h/db', pool: { size: 3, ...driver } }, other: { url: 'postgres://u:pw@h/other' } },
    placement,
  });
  const expected = "`clusters.main.pool.driver`: expected 'postgres-schema' or 'postgres-database': ";

  it('has that of the placement', async () => {
    for (const driver of ['postgres-schema', 'postgres-database'])
      expect((await resolve(pooled({ ...template, driver }))).clusters['main']?.pool).toEqual({ driver, size: 3 });
    const said = await resolve(pooled(template, { driver: 'postgres-database' }));
    expect(said.clusters['main']?.pool).toEqual({ driver: 'postgres-database', size: 3 });
    expect((await resolve(pooled(() => template, { driver: 'postgres-schema' }))).clusters['main']?.pool?.driver).toBe('postgres-schema');
  });

  it('is refused where the placement does not tell', async () => {
    expect(await failure(resolve(pooled(() => template)))).toContain(`${expected}\`placement\` is a function, which may answer either`);
    expect(await failure(resolve(pooled({ ...template, cluster: 'other' })))).toContain(`${expected}\`placement\` puts nobody on main`);
    expect(await failure(resolve(pooled({ ...template, driver: 'mysql-database' })))).toContain(
      `${expected}a home is made ahead under another name, and mysql-database, which \`placement\` names, can't rename`,
    );
  });
});

describe('resolving', () => {
  it('fills in defaults and the short forms', async () => {
    const config = await resolve({ ...sound, migrations: { directory: './m' }, seeds: ['a.sql'] });
    expect(config.hooks.migrate).toEqual({ type: 'sql-migrations', directory: '/app/m' });
    expect(config.registry.url).toBe('postgres://u:pw@h/db');
    const seeded: string[] = [];
    for (const seed of config.hooks.seed) await seed({ seed: async (file: string) => void seeded.push(file) } as never);
    expect(seeded).toEqual(['/app/a.sql']);
    expect(config.defaults).toEqual({
      concurrency: null,
      retainForMs: null,
      retries: 3,
      timeoutMs: null,
      lockTimeoutMs: 5_000,
      statementTimeoutMs: null,
      leaseWaitMs: 20_000,
      waves: [],
      soakMs: 0,
      executor: 'local',
    });
    expect(config.logsDirectory).toBe('/app/.tenancy/logs');
  });

  it('keeps a migrator that is an instance of a class whole', async () => {
    class Migrator {
      readonly type = 'migrator';
      readonly name = 'x';
      async run(): Promise<void> {}
      async target(): Promise<string> {
        return this.name;
      }
      async readVersion(): Promise<null> {
        return null;
      }
    }
    const { hooks } = await resolve({ ...sound, hooks: { migrate: new Migrator() } });
    expect(await (hooks.migrate as unknown as Migrator).target()).toBe('x');
  });

  it('takes a flag before a variable, a variable before the config, and the config before a default', async () => {
    const config = { ...sound, defaults: { retries: 1, lockTimeout: '1s', timeout: '1m', leaseWait: 7 } };
    const { defaults } = await resolve(config, {
      overrides: { retries: '5', timeout: 'none' },
      env: { TENANCY_RETRIES: '4', TENANCY_LOCK_TIMEOUT: '2s', TENANCY_LEASE_WAIT: '' },
    });
    expect(defaults).toMatchObject({ retries: 5, lockTimeoutMs: 2_000, timeoutMs: null, leaseWaitMs: 7 });
  });

  it('names the flag or the variable that is wrong', async () => {
    expect(await failure(resolve(sound, { overrides: { concurrency: '0' } }))).toBe(
      '--concurrency: expected a whole number of at least 1, got "0"',
    );
    expect(await failure(resolve(sound, { env: { TENANCY_LOCK_TIMEOUT: '5' } }))).toBe(
      'TENANCY_LOCK_TIMEOUT: expected a duration with its unit, such as 5s or 5ms, got "5"',
    );
  });
});

describe('printing', () => {
  it('shows every default and no secret', async () => {
    const config = await resolve({
      ...sound,
      clusters: { main: { url: 'postgres://u:canary-4711@h/db' }, two: { url: () => 'x' } },
      hooks: { create: () => {} },
    });
    const printed = JSON.stringify(describeConfig(config));
    expect(printed).not.toContain('canary');
    expect(JSON.parse(printed)).toMatchObject({
      clusters: { main: { url: 'postgres://u:***@h/db', concurrency: 8, region: null }, two: { url: '[function]' } },
      hooks: { create: '[function]', seed: [] },
      defaults: { lockTimeout: '5.0 s', timeout: 'none' },
    });
    expect(describeConfig(await resolve(sound)).placement).toEqual(template);
    expect(describeConfig(await resolve({ ...sound, placement: () => template })).placement).toBe('[function]');
    expect(redact('it said canary-4711')).toBe('it said ***');
  });
});
