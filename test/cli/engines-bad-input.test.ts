import { MongoClient } from 'mongodb';
import { describe, expect, onTestFinished, test } from 'vitest';
import { mongoUrl } from '../rig/mongodb.js';
import { canaryPassword, queryMysql } from '../rig/mysql.js';
import { query, withDatabase } from '../rig/postgres.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';
import { createMongoScene, createMysqlScene, createPostgresScene, type EngineScene } from './engine-scene.js';
import { type JsonRun, readJsonRun } from './scene.js';

interface BadScene extends EngineScene, TestProject {
  json(args: readonly string[], clusterUrl?: string): Promise<JsonRun>;
}

const ENV = 'SCENE_CLUSTER_URL';

/** A tenant `acme`, and a config whose cluster may be reached in another way for one command. */
async function openScene(createScene: () => Promise<EngineScene>): Promise<BadScene> {
  const scene = await createScene();
  const { clusterUrl, registryUrl, driver, prefix } = scene;
  const project = await createProject({
    config: `export default {
  registry: { url: ${JSON.stringify(registryUrl)} },
  clusters: { main: { url: process.env.${ENV} } },
  placement: { cluster: 'main', driver: '${driver}', name: '${prefix}{id}' },
  migrations: { directory: './migrations' },
};
`,
    migrations: scene.migrations.first,
  });
  onTestFinished(async () => {
    await project.remove();
    await scene.drop();
  });
  const json = async (args: readonly string[], url = clusterUrl): Promise<JsonRun> =>
    readJsonRun(await project.run(['--json', ...args], { env: { [ENV]: url } }));
  const made = await json(['tenant', 'provision', 'acme']);
  expect(made.exitCode, made.stdout).toBe(0);
  return { ...scene, ...project, json };
}

const errorOf = (run: JsonRun) => run.finished.failed[0]?.error;

function withLogin(url: string, user: string, password = canaryPassword): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

/** The same on each engine. `lend`: a URL of a login that may look into acme's home, and no more. */
function describeBadInput(createScene: () => Promise<EngineScene>, lend: (scene: EngineScene) => Promise<string>): void {
  test('a module without `up` is refused, one that throws a text fails, and neither is recorded', async () => {
    const scene = await openScene(createScene);
    await scene.write('migrations/0002_bad.mjs', 'export const down = async () => {};\n');
    const refused = await scene.json(['tenant', 'migrate', 'acme']);
    expect([refused.exitCode, errorOf(refused)]).toMatchObject([
      2,
      {
        code: 'TENANCY_MIGRATION_MODULE_REJECTED',
        message: 'migrations/0002_bad.mjs: it exports no function `up`',
        hint: expect.stringContaining('async function up('),
      },
    ]);
    await scene.write('migrations/0002_bad.mjs', `export async function up() { throw 'no'; }\n`);
    const failed = await scene.json(['tenant', 'migrate', 'acme']);
    expect([failed.exitCode, errorOf(failed)?.message]).toEqual([
      1,
      expect.stringContaining('0002_bad: it threw "no", which is not an Error'),
    ]);
    const list = await scene.json(['tenant', 'migrate', 'acme', '--dry-run', '--force-verify']);
    expect(list.of('tenant.planned')).toMatchObject([{ migrations: ['0002_bad'] }]);
  });

  test('a server that is down, and one that refuses the password, fail the tenant with 6 and without the password', async () => {
    const scene = await openScene(createScene);
    const down = new URL(scene.clusterUrl);
    down.host = '127.0.0.1:1';
    if (down.protocol === 'mongodb:') down.searchParams.set('serverSelectionTimeoutMS', '500');
    const wrong = withLogin(scene.clusterUrl, `${scene.prefix}nobody`.slice(0, 30), 'not-the-canary-77');
    await scene.write('migrations/0002_projects.js', 'export const up = async () => {};\n');
    for (const url of [down.href, wrong]) {
      const run = await scene.json(['tenant', 'migrate', 'acme', '--retries', '0'], url);
      expect([run.exitCode, errorOf(run)?.code], run.stdout).toEqual([6, 'TENANCY_CLUSTER_UNREACHABLE']);
      expect(run.stdout + run.stderr).not.toContain('not-the-canary-77');
    }
  });

  test('a login that may not write fails the tenant, says that it lacks a right, and leaves the tenant as it was', async () => {
    const scene = await openScene(createScene);
    const url = await lend(scene);
    for (const [file, text] of Object.entries(scene.migrations.second)) await scene.write(`migrations/${file}`, text);
    const run = await scene.json(['tenant', 'migrate', 'acme'], url);
    expect([run.exitCode, run.finished.failed], run.stdout).toMatchObject([
      1,
      [{ attempts: 1, error: { code: 'TENANCY_RIGHT_MISSING', hint: expect.stringContaining('tenancy doctor') } }],
    ]);
    const mended = await scene.json(['tenant', 'migrate', 'acme']);
    expect(mended.finished, mended.stdout).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect(await scene.countAccounts(`${scene.prefix}acme`)).toBe(1);
  });
}

describe('postgres', () => {
  describeBadInput(createPostgresScene, async (scene) => {
    const role = `${scene.prefix}reader`;
    const home = withDatabase(scene.clusterUrl, `${scene.prefix}acme`);
    await query(
      home,
      `CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'; GRANT USAGE ON SCHEMA _tenancy TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA _tenancy TO ${role}`,
    );
    return withLogin(scene.clusterUrl, role);
  });
});

describeOn('mariadb', () => {
  const lend =
    (grant: (home: string, user: string) => string | null) =>
    async ({ clusterUrl, prefix }: EngineScene): Promise<string> => {
      const user = `${prefix}reader`;
      await queryMysql(clusterUrl, `CREATE USER '${user}'@'%' IDENTIFIED BY '${canaryPassword}'`);
      const sql = grant(`${prefix}acme`.replaceAll('_', '\\_'), user);
      if (sql !== null) await queryMysql(clusterUrl, sql);
      return withLogin(withDatabase(clusterUrl, ''), user);
    };
  describeBadInput(
    createMysqlScene,
    lend((home, user) => `GRANT SELECT ON \`${home}\`.* TO '${user}'@'%'`),
  );

  test('a database that is hidden from the login is not taken for gone', async () => {
    const scene = await openScene(createMysqlScene);
    const url = await lend(() => null)(scene);
    await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
    for (const command of [
      ['migrate', 'acme'],
      ['deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
    ]) {
      const run = await scene.json(['tenant', ...command], url);
      expect([run.exitCode, errorOf(run)?.code], run.stdout).toEqual([1, 'TENANCY_RIGHT_MISSING']);
      expect(errorOf(run)?.message).toContain('Access denied');
    }
    const created = await scene.json(['tenant', 'provision', 'globex'], url);
    expect([created.exitCode, errorOf(created)?.code], created.stdout).toEqual([2, 'TENANCY_CREATE_FORBIDDEN']);
    expect(await scene.listHomes()).toEqual([`${scene.prefix}acme`]);
    const mended = await scene.json(['tenant', 'migrate', 'acme']);
    expect(mended.finished, mended.stdout).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
  });

  test('a server that takes no writes fails its tenants, each once, and goes on when it does again', { timeout: 90_000 }, async () => {
    const server = await startPrivateMariadb();
    onTestFinished(() => server.stop());
    const scene = await openScene(async () => ({ ...(await createMysqlScene()), clusterUrl: server.url }));
    // An administrator but for READ ONLY ADMIN, which would write all the same.
    await queryMysql(server.url, `CREATE USER app@'%' IDENTIFIED BY '${canaryPassword}'`);
    await queryMysql(server.url, "GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION");
    await queryMysql(server.url, "REVOKE READ_ONLY ADMIN ON *.* FROM app@'%'");
    const url = withLogin(server.url, 'app');
    await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
    await queryMysql(server.url, 'SET GLOBAL read_only = 1');
    const stopped = await scene.json(['tenant', 'migrate', 'acme'], url);
    expect([stopped.exitCode, stopped.finished.failed], stopped.stdout).toMatchObject([
      6,
      [{ tenant: 'acme', attempts: 1, error: { code: 'TENANCY_CLUSTER_READ_ONLY', hint: expect.stringContaining('take read_only back') } }],
    ]);
    expect(errorOf(stopped)?.message).toMatch(/^cluster main at \S+ takes no writes: .*--read-only/);
    const created = await scene.json(['tenant', 'provision', 'globex'], url);
    expect([created.exitCode, errorOf(created)?.code], created.stdout).toEqual([6, 'TENANCY_CLUSTER_READ_ONLY']);
    await queryMysql(server.url, 'SET GLOBAL read_only = 0');
    expect((await scene.json(['tenant', 'migrate', 'acme'], url)).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect((await scene.json(['tenant', 'provision', 'globex'], url)).exitCode).toBe(0);
  });
});

describeOn('mongodb', () => {
  const lend =
    (...roles: readonly string[]) =>
    async ({ clusterUrl, prefix }: EngineScene): Promise<string> => {
      const [home, user] = [`${prefix}acme`, `${prefix}${roles.length}`];
      const client = new MongoClient(clusterUrl, { appName: 'rig' });
      try {
        const [own, ...ofAdmin] = roles;
        const granted = [own ?? 'read', ...ofAdmin.map((role) => ({ role, db: 'admin' }))];
        await client.db(home).command({ createUser: user, pwd: canaryPassword, roles: granted });
      } finally {
        await client.close();
      }
      return mongoUrl(clusterUrl, home, { user, password: canaryPassword });
    };
  describeBadInput(createMongoScene, lend('read', 'clusterMonitor'));

  test('a login that may not read which server it is on is told so, and nothing is done', async () => {
    const scene = await openScene(createMongoScene);
    const run = await scene.json(['tenant', 'migrate', 'acme', '--force-verify'], await lend('readWrite')(scene));
    expect([run.exitCode, run.finished.error], run.stdout).toMatchObject([
      4,
      { code: 'TENANCY_CLUSTER_CHANGED', hint: expect.stringContaining('its login may read the id of the set (clusterMonitor)') },
    ]);
  });
});
