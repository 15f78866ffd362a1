import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { canaryPassword, createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { startPrivateServer } from '../rig/private-server.js';
import { createProject } from '../rig/project.js';
import { createScene, type JsonRun, readJsonRun, type Scene, writeTwoClusterConfig } from './scene.js';

type TestScope = Parameters<typeof createScene>[0];

const withHooks = (hooks: string) => (db: { readonly url: string }) => ({ databaseUrl: db.url, configExtra: `hooks: {${hooks}},` });
const errorOf = (run: JsonRun) => run.finished.failed[0]?.error;
const script = (code: string): string => `await ctx.exec(process.execPath, ['-e', ${JSON.stringify(code)}])`;

async function readLogs({ directory }: Scene): Promise<string> {
  const logs = path.join(directory, '.tenancy/logs');
  const files = (await readdir(logs, { recursive: true }).catch(() => [])).filter((file) => file.endsWith('.log'));
  return (await Promise.all(files.map((file) => readFile(path.join(logs, file), 'utf8')))).join('');
}

/** What a tenant's history says, and which tables it has. */
async function stateOf(db: TestDatabase, schema: string): Promise<{ history: string[]; tables: string[] }> {
  const tables = await db.query<{ name: string }>(`SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1`, [schema]);
  const names = tables.map(({ name }) => name);
  const history = names.includes('_tenancy_migrations')
    ? await db.query<{ name: string }>(`SELECT name FROM "${schema}"._tenancy_migrations ORDER BY position`)
    : [];
  return { history: history.map(({ name }) => name), tables: names.filter((name) => !name.startsWith('_')) };
}

describe.concurrent('a migration module', () => {
  test.for([
    ['without up', 'export const down = async () => {};', 2, 'it exports no function `up`'],
    [
      'that throws a text',
      `export async function up(db) { await db.query('CREATE TABLE half ()'); throw 'no'; }`,
      1,
      'it threw "no", which is not an Error',
    ],
    [
      'that throws nothing',
      `export async function up(db) { await db.query('CREATE TABLE half ()'); throw undefined; }`,
      1,
      'it threw undefined, which is not an Error',
    ],
    ['with an error in its text', 'export async function up( {', 2, "it can't be loaded"],
    ['that imports what is not there', `import 'left-pad-of-nowhere'; export async function up() {}`, 2, 'left-pad-of-nowhere'],
    ['that throws a password', 'export async function up() { throw new Error(process.env.SHOP_URL); }', 1, '***'],
  ] as const)('%s fails its tenant by name, and leaves nothing behind', async ([, text, exitCode, words], scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_bad.mjs', `${text}\n`);
    const run = await scene.json(['tenant', 'migrate', 'acme'], { env: { SHOP_URL: `postgres://shop:${canaryPassword}@db/shop` } });
    expect([run.exitCode, errorOf(run)?.message]).toEqual([exitCode, expect.stringMatching(/0002_bad/)]);
    expect(errorOf(run)?.message).toContain(words);
    expect(run.stdout + run.stderr + (await readLogs(scene))).not.toContain(canaryPassword);
    expect(await stateOf(scene.db, 'tenant_acme')).toEqual({ history: ['0001_accounts'], tables: ['accounts'] });
  });
});

describe.concurrent('a hook', () => {
  test('that never ends is stopped at --timeout, and the tenant is done the next time', async (scope) => {
    const scene = await createScene(
      scope,
      withHooks(`beforeMigrate: () => process.env.STUCK ? new Promise(() => setInterval(() => {}, 1000)) : undefined`),
    );
    const run = await scene.json(['tenant', 'provision', 'acme', '--timeout', '1s'], { env: { STUCK: '1' } });
    expect([run.exitCode, errorOf(run)]).toMatchObject([1, { code: 'TENANCY_TIMEOUT_REACHED', hook: 'migrate' }]);
    expect(await stateOf(scene.db, 'tenant_acme')).toEqual({ history: [], tables: [] });
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
  });

  test('whose command is not there says so, and what to do', async (scope) => {
    const scene = await createScene(scope, withHooks(`afterMigrate: async (ctx) => { await ctx.exec('no-such-migrator', ['up']) }`));
    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect([run.exitCode, errorOf(run)?.message]).toEqual([
      1,
      expect.stringMatching(
        /^acme: the afterMigrate hook failed: no-such-migrator: command not found \(looked for in .*\): install it, or correct its name$/,
      ),
    ]);
  });

  test('whose command exits with 3 says what it said last, with its passwords blanked everywhere', async (scope) => {
    const code = `process.stdout.write('to ' + process.env.DATABASE_URL + '\\n' + process.env.DATABASE_URL.slice(0, 30));
      setTimeout(() => { process.stdout.write(process.env.DATABASE_URL.slice(30) + '\\n'); console.error('no table of ' + process.env.DATABASE_URL); process.exitCode = 3; }, 30)`;
    const scene = await createScene(scope, withHooks(`verify: async (ctx) => { ${script(code)} }`));
    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect(run.exitCode).toBe(1);
    expect(errorOf(run)?.message).toMatch(/^acme: the verify hook failed: node exited with 3:\nno table of postgres:\/\/postgres:\*\*\*@/);
    const words = await scene.run(['tenant', 'provision', 'acme']);
    expect(words.stderr).toContain('node exited with 3');
    const log = await readLogs(scene);
    expect(log.match(/postgres:\/\/postgres:\*\*\*@/g)?.length).toBeGreaterThanOrEqual(4);
    expect(log + run.stdout + run.stderr + words.stdout + words.stderr).not.toContain(canaryPassword);
    expect(JSON.stringify(await scene.db.query('SELECT * FROM tenancy.tenants'))).not.toContain(canaryPassword);
  });

  test('whose command says a megabyte is done all the same, in bounded memory', async (scope) => {
    const code = `const line = 'x'.repeat(99) + '\\n'; const write = (n) => { if (n > 0) process.stdout.write(line.repeat(10000), () => write(n - 1)) }; write(20)`;
    const scene = await createScene(scope, withHooks(`verify: async (ctx) => { ${script(code)} }`));
    const run = await scene.json(['tenant', 'provision', 'acme'], { env: { NODE_OPTIONS: '--max-old-space-size=96' } });
    expect(run.exitCode).toBe(0);
    const log = await readLogs(scene);
    expect(log.length).toBeGreaterThan(9_000_000);
    expect(log.length).toBeLessThan(11_000_000);
  });

  const forks = `const fs = require('node:fs'); const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    fs.writeFileSync('grandchild.pid', String(child.pid)); child.unref()`;

  test('whose command leaves a program running ends, and takes that along', async (scope) => {
    const scene = await createScene(scope, withHooks(`verify: async (ctx) => { ${script(forks)} }`));
    expect((await scene.json(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
    await grandchildIsGone(scene);
  });

  test('whose command and what it has started are stuck takes them along at --timeout', async (scope) => {
    const scene = await createScene(scope, withHooks(`verify: async (ctx) => { ${script(`${forks}; setInterval(() => {}, 1000)`)} }`));
    const run = await scene.json(['tenant', 'provision', 'acme', '--timeout', '2s']);
    expect([run.exitCode, errorOf(run)?.code]).toEqual([1, 'TENANCY_TIMEOUT_REACHED']);
    await grandchildIsGone(scene);
  });
});

async function grandchildIsGone({ directory }: Scene): Promise<void> {
  const pid = Number(await readFile(path.join(directory, 'grandchild.pid'), 'utf8'));
  expect(pid).toBeGreaterThan(0);
  await until(async () => !(await isRunning(pid)), 'the grandchild to be gone');
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // One that was killed stays as a zombie until its new parent has asked after it.
  return !existsSync('/proc/self/stat') || !/\) Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z '));
}

/** A second cluster whose login may only do what is granted to it; `two-a` lives there. */
async function withLogin(
  scope: TestScope,
  grants: (role: string, db: TestDatabase) => string,
): Promise<{ scene: Scene; role: string; useRole(password?: string): Promise<void> }> {
  const scene = await createScene(scope);
  const role = `${scene.db.name}_app`;
  await scene.write('tenancy.config.mjs', writeTwoClusterConfig({ url: scene.db.url }, { url: scene.db.url }));
  await scene.ok(['tenant', 'provision', 'one-a', 'two-a']);
  await scene.db.query(`CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'; ${grants(role, scene.db)}`);
  const useRole = async (password = canaryPassword): Promise<void> => {
    const url = new URL(scene.db.url);
    url.username = role;
    url.password = password;
    await scene.write('tenancy.config.mjs', writeTwoClusterConfig({ url: scene.db.url }, { url: url.href }));
  };
  return { scene, role, useRole };
}

describe.concurrent('a server', () => {
  test('that refuses the password fails the one tenant with 6, and in a fleet only its tenants', async (scope) => {
    const { scene, useRole } = await withLogin(scope, () => '');
    await useRole('not-the-canary-77');
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b ();');
    const single = await scene.json(['tenant', 'migrate', 'two-a', '--retries', '0']);
    expect([single.exitCode, errorOf(single)]).toMatchObject([
      6,
      { code: 'TENANCY_CLUSTER_UNREACHABLE', message: expect.stringContaining('the password was not accepted') },
    ]);
    const fleet = await scene.json(['tenant', 'migrate', '--all', '--retries', '0']);
    expect([fleet.exitCode, fleet.finished.counts.applied, fleet.finished.failed.map(({ tenant }) => tenant)]).toEqual([1, 1, ['two-a']]);
    expect(single.stdout + fleet.stdout + single.stderr + fleet.stderr + (await readLogs(scene))).not.toContain('not-the-canary-77');
    expect((await stateOf(scene.db, 'tenant_two-a')).history).toEqual(['0001_accounts']);
  });

  test('on which the login may not create says which privilege is lacking, and nothing is half recorded', async (scope) => {
    const { scene, role, useRole } = await withLogin(
      scope,
      (name, db) => `GRANT CONNECT ON DATABASE ${db.name} TO ${name}; GRANT USAGE ON SCHEMA "tenant_two-a" TO ${name};
      GRANT ALL ON ALL TABLES IN SCHEMA "tenant_two-a" TO ${name}`,
    );
    await useRole();
    await scene.write('migrations/0002_b.sql', 'INSERT INTO accounts (name) VALUES (1);\nCREATE TABLE b ();');
    const run = await scene.json(['tenant', 'migrate', 'two-a']);
    expect([run.exitCode, errorOf(run)?.message]).toEqual([
      1,
      expect.stringMatching(/0002_b.*line 2.*permission denied for schema tenant_two-a/s),
    ]);
    expect(
      await scene.db.query(
        `SELECT (SELECT count(*)::int FROM "tenant_two-a".accounts) AS accounts, (SELECT max(name) FROM "tenant_two-a"._tenancy_migrations) AS newest`,
      ),
    ).toEqual([{ accounts: 0, newest: '0001_accounts' }]);
    const created = await scene.json(['tenant', 'provision', 'two-b']);
    expect([created.exitCode, errorOf(created)?.hook, errorOf(created)?.message]).toEqual([
      2,
      'create',
      `the schema tenant_two-b can't be created: the login ${role} lacks CREATE on the database ${scene.db.name}`,
    ]);
    expect(errorOf(created)?.hint).toContain('GRANT CREATE ON DATABASE');
    await scene.db.query(`GRANT CREATE ON DATABASE ${scene.db.name} TO ${role}`);
    expect((await scene.json(['tenant', 'provision', 'two-b'])).exitCode).toBe(0);
    await scene.db.query(`DROP OWNED BY ${role}`);
  });

  test('that takes no writes fails its tenants, each once, and goes on when it does again', async (scope) => {
    const { scene, role, useRole } = await withLogin(
      scope,
      (name, db) => `GRANT ALL ON DATABASE ${db.name} TO ${name}; GRANT ALL ON SCHEMA "tenant_two-a" TO ${name};
      GRANT ALL ON ALL TABLES IN SCHEMA "tenant_two-a" TO ${name}; ALTER ROLE ${name} SET default_transaction_read_only = on`,
    );
    await useRole();
    await scene.write('migrations/0002_b.sql', 'CREATE TABLE b ();');
    const fleet = await scene.json(['tenant', 'migrate', '--all']);
    expect([fleet.exitCode, fleet.finished.counts.applied, fleet.finished.failed]).toMatchObject([
      1,
      1,
      [{ tenant: 'two-a', attempts: 1, error: { code: 'TENANCY_CLUSTER_READ_ONLY' } }],
    ]);
    expect(errorOf(fleet)?.message).toMatch(/^cluster two at \S+ takes no writes: cannot execute \w+ in a read-only transaction$/);
    expect(errorOf(fleet)?.hint).toContain('default_transaction_read_only');
    expect(await scene.db.query(`SELECT max(name) AS newest FROM "tenant_two-a"._tenancy_migrations`)).toEqual([
      { newest: '0001_accounts' },
    ]);
    const created = await scene.json(['tenant', 'provision', 'two-b']);
    expect([created.exitCode, errorOf(created)?.code]).toEqual([6, 'TENANCY_CLUSTER_READ_ONLY']);
    await scene.db.query(`ALTER ROLE ${role} RESET default_transaction_read_only`);
    expect((await scene.json(['tenant', 'migrate', '--all'])).exitCode).toBe(0);
    expect((await scene.json(['tenant', 'provision', 'two-b'])).exitCode).toBe(0);
    await scene.db.query(`DROP OWNED BY ${role}`);
  });
});

test('a hot standby fails its tenants and the registry in a sentence, with 6', async () => {
  const server = await startPrivateServer('18');
  const project = await createProject({ databaseUrl: server.url });
  try {
    expect((await project.run(['tenant', 'provision', 'acme'])).exitCode).toBe(0);
    await project.write('migrations/0002_b.sql', 'CREATE TABLE b ();');
    await server.becomeStandby();
    const onRegistry = readJsonRun(await project.run(['--json', 'tenant', 'migrate', 'acme', '--retries', '0']));
    expect([onRegistry.exitCode, onRegistry.finished.error?.code]).toEqual([6, 'TENANCY_REGISTRY_READ_ONLY']);
    const { stdout, exitCode } = await project.run(['tenant', 'list']);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('acme')]);

    // The registry elsewhere, and only the tenants' cluster fails over.
    const registry = await createTestDatabase();
    try {
      await project.write('tenancy.config.mjs', writeTwoClusterConfig({ url: registry.url }, { url: server.url }));
      const run = readJsonRun(await project.run(['--json', 'tenant', 'provision', 'two-a', '--retries', '0']));
      expect([run.exitCode, errorOf(run)]).toMatchObject([
        6,
        { code: 'TENANCY_CLUSTER_READ_ONLY', message: expect.stringContaining('takes no writes') },
      ]);
    } finally {
      await registry.drop();
    }
  } finally {
    await project.remove();
    await server.stop();
  }
});
