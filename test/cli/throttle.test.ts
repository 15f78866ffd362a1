import { describe, expect, test } from 'vitest';
import type { StartedCli } from '../rig/cli.js';
import { until } from '../rig/gate.js';
import { createTestMysql } from '../rig/mysql.js';
import { createTestDatabase, query } from '../rig/postgres.js';
import { startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import { createScene, createSceneGate, readJsonRun, type Scene } from './scene.js';

interface TestScope {
  onTestFinished(cleanUp: () => Promise<void>): void;
}

const HOLD = `{ sql: 'SELECT reason FROM public.hold', every: '1ms' }`;

/** Ids that begin with `two` live on a cluster of their own, in another database; this is its throttle. The table `hold` is there too. */
async function createTwo(scope: TestScope, throttle: string, concurrency = 4): Promise<Scene & { readonly two: Scene['db'] }> {
  const two = await createTestDatabase();
  scope.onTestFinished(() => two.drop());
  await two.query('CREATE TABLE public.hold (reason text)');
  const scene = await createScene(scope, (db) => ({
    config: `import { maxActiveSessions, maxReplicationLag, whileFileExists } from 'tenancy-cli/hooks';
      export default {
        registry: { url: ${JSON.stringify(db.url)} },
        clusters: {
          one: { url: ${JSON.stringify(db.url)}, concurrency: ${concurrency} },
          two: { url: ${JSON.stringify(two.url)}, concurrency: ${concurrency}, throttle: ${throttle} },
        },
        placement: ({ id }) => ({ cluster: id.startsWith('two') ? 'two' : 'one', driver: 'postgres-schema', name: 'tenant_' + id }),
        migrations: { directory: './migrations' },
      };`,
  }));
  await scene.ok(['tenant', 'provision', ...ids]);
  await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
  return { ...scene, two };
}

const ids = ['one1', 'one2', 'one3', 'two1', 'two2', 'two3'];

function listen(cli: StartedCli): { readonly hasSaid: (text: string, times?: number) => Promise<void> } {
  let said = '';
  for (const stream of [cli.stdout, cli.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  return { hasSaid: (text, times = 1) => until(() => said.split(text).length > times, text) };
}

const countLeases = async ({ db }: Scene): Promise<number> =>
  (await db.query('SELECT 1 FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).length;

describe('a throttle', { timeout: 120_000 }, () => {
  test('holds its cluster and no other, takes no place of theirs, gives leases back, and lets go', async (scope) => {
    const scene = await createTwo(scope, HOLD);
    await scene.two.query(`INSERT INTO public.hold VALUES ('replica b is 40 s behind')`);
    // With one place for all, a tenant that is held must not have it.
    const cli = await scene.start(['tenant', 'migrate', '--all', '--concurrency', '1', '--json']);
    await listen(cli).hasSaid('"tenant.finished"', 3);
    await until(async () => (await countLeases(scene)) === 0, 'the leases of who is held to be given back');
    expect(await scene.two.query(`SELECT 1 FROM pg_tables WHERE tablename = 'projects'`)).toEqual([]);
    await scene.two.query('DELETE FROM public.hold');
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 6]);
    expect(run.of('cluster.held')).toMatchObject([{ cluster: 'two', reason: 'replica b is 40 s behind' }]);
    expect(run.of('cluster.released')).toMatchObject([{ cluster: 'two' }]);
    const order = run.of('tenant.finished').map(({ cluster }) => cluster);
    expect(order).toEqual(['one', 'one', 'one', 'two', 'two', 'two']);
  });

  test('that says so while tenants are in flight lets these end, and starts no more', async (scope) => {
    const scene = await createTwo(scope, HOLD, 1);
    const gate = await createSceneGate(scope, { ...scene, db: scene.two });
    await scene.write('migrations/0002_projects.sql', `${gate.sql}\nCREATE TABLE projects (id int);\n`);
    const cli = await scene.start(['tenant', 'migrate', 'two1', 'two2', 'two3', '--output', 'plain']);
    const { hasSaid } = listen(cli);
    await gate.waiting(1);
    await scene.two.query('INSERT INTO public.hold VALUES (12)');
    await gate.open();
    await hasSaid('two is held: its throttle query says 12; starting no more tenants there until that is over');
    await hasSaid('✔ two1');
    expect(await scene.two.query(`SELECT 1 FROM pg_tables WHERE tablename = 'projects'`)).toHaveLength(1);
    await scene.two.query('UPDATE public.hold SET reason = 0');
    await hasSaid('two goes on after');
    expect((await cli.result).exitCode).toBe(0);
  });

  test('holds nobody whom a Ctrl-C has sent home', async (scope) => {
    const scene = await createTwo(scope, HOLD);
    await scene.two.query(`INSERT INTO public.hold VALUES ('maintenance')`);
    const cli = await scene.start(['tenant', 'migrate', '--all', '--json']);
    const { hasSaid } = listen(cli);
    await hasSaid('"cluster.held"');
    await hasSaid('"tenant.finished"', 3);
    cli.kill('SIGINT');
    const run = readJsonRun(await cli.result);
    expect(run.exitCode).toBe(130);
    expect(run.finished.counts).toMatchObject({ applied: 3, 'not-started': 3 });
    expect(await countLeases(scene)).toBe(0);
  });

  test.each([
    [
      'a statement that the server refuses',
      `{ sql: 'SELECT lag FROM nowhere' }`,
      /clusters\.two\.throttle can't tell .*relation "nowhere" does not exist; nothing was started/,
    ],
    ['a hook that throws', `() => { throw new Error('no monitoring'); }`, /clusters\.two\.throttle can't tell .*no monitoring/],
    ['ctx.mongo() on PostgreSQL', '(ctx) => ctx.mongo()', /cluster two is PostgreSQL, which ctx\.mongo\(\) is not for/],
    [
      'a setting that is none',
      `{ query: 'SELECT 1' }`,
      /clusters\.two\.throttle.*expected \{ sql: 'SELECT …' \}, \{ check: \(ctx\) => … \}, a function/,
    ],
    ['an interval without a unit', `[{ sql: 'SELECT 1', every: '5' }]`, /clusters\.two\.throttle\[0\]\.every.*5s or 5ms/],
  ])('%s ends the command before anything is started', async (_, throttle, message) => {
    const scene = await createScene({ onTestFinished: (cleanUp) => void cleanUps.push(cleanUp) }, (db) => ({
      config: `export default {
        clusters: { two: { url: ${JSON.stringify(db.url)}, throttle: ${throttle} } },
        placement: { cluster: 'two', driver: 'postgres-schema', name: 'tenant_{id}' },
        migrations: { directory: './migrations' },
      };`,
    }));
    const made = await scene.run(['tenant', 'provision', 'acme']);
    if (made.exitCode === 0) {
      await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
      const { exitCode, stderr } = await scene.run(['tenant', 'migrate', '--all', '--output', 'plain']);
      expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(message) });
      expect(await scene.db.query(`SELECT 1 FROM tenancy.runs WHERE command = 'migrate'`)).toEqual([]);
    } else expect({ exitCode: made.exitCode, stderr: made.stderr }).toEqual({ exitCode: 2, stderr: expect.stringMatching(message) });
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  test('that fails later holds with its error, and is asked by the next again', async (scope) => {
    const scene = await createTwo(scope, HOLD, 1);
    const gate = await createSceneGate(scope, { ...scene, db: scene.two });
    await scene.write('migrations/0002_projects.sql', `${gate.sql}\nCREATE TABLE projects (id int);\n`);
    const cli = await scene.start(['tenant', 'migrate', 'two1', 'two2', '--json']);
    await gate.waiting(1);
    await scene.two.query('ALTER TABLE public.hold RENAME TO held');
    await gate.open();
    await listen(cli).hasSaid('"cluster.held"');
    await scene.two.query('ALTER TABLE public.held RENAME TO hold');
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 2]);
    expect(run.of('cluster.held')).toMatchObject([{ reason: 'its throttle failed: relation "public.hold" does not exist' }]);
  });

  test('ready made: of a file, of active sessions and of replicas, of which there are none', async (scope) => {
    const scene = await createTwo(
      scope,
      `[maxReplicationLag('10s'), maxActiveSessions(500), { check: whileFileExists('./stop'), every: '1ms' }]`,
    );
    await scene.write('stop', '');
    const cli = await scene.start(['tenant', 'migrate', '--all', '--json']);
    await listen(cli).hasSaid('"cluster.held"');
    await scene.run(['config', 'print']);
    const { rm } = await import('node:fs/promises');
    await rm(`${scene.directory}/stop`);
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 6]);
    expect(run.of('cluster.held')).toMatchObject([{ cluster: 'two', reason: 'there is a file ./stop' }]);
  });
});

const cleanUps: (() => Promise<void>)[] = [];

test('more sessions at work than are allowed hold a cluster', { timeout: 60_000 }, async (scope) => {
  const scene = await createTwo(scope, `{ check: maxActiveSessions(0), every: '1ms' }`);
  const gate = await createSceneGate(scope, { ...scene, db: scene.two });
  // One that is at work until the gate opens, as it is held by the lock.
  const busy = scene.two.query(gate.sql);
  await gate.waiting(1);
  const cli = await scene.start(['tenant', 'migrate', 'two1', '--json']);
  await listen(cli).hasSaid('"cluster.held"');
  await gate.open();
  await busy;
  cli.kill('SIGINT');
  const run = readJsonRun(await cli.result);
  expect(run.of('cluster.held')[0]?.reason).toMatch(/^\d+ sessions? (is|are) at work, more than 0$/);
});

test('a replica that falls behind holds its cluster until it has caught up', { timeout: 120_000 }, async (scope) => {
  const primary = await startPrivateServer('18');
  scope.onTestFinished(() => primary.stop());
  const replica = await primary.startReplica('replica_b');
  const scene = await createScene(scope, (db) => ({
    config: `import { maxReplicationLag } from 'tenancy-cli/hooks';
      export default {
        registry: { url: ${JSON.stringify(db.url)} },
        clusters: { main: { url: ${JSON.stringify(primary.url)}, throttle: { check: maxReplicationLag('100ms'), every: '1ms' } } },
        placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
        migrations: { directory: './migrations' },
      };`,
  }));
  await scene.ok(['tenant', 'provision', 'acme', 'globex']);
  await query(replica.url, 'SELECT pg_wal_replay_pause()');
  await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
  await query(primary.url, 'CREATE TABLE public.news (id int)');
  const lag = `SELECT 1 FROM pg_stat_replication WHERE application_name = 'replica_b' AND replay_lag > interval '100 ms'`;
  await until(async () => (await query(primary.url, lag)).length === 1, 'the replica to be behind');

  const cli = await scene.start(['tenant', 'migrate', '--all', '--json']);
  await listen(cli).hasSaid('"cluster.held"');
  await query(replica.url, 'SELECT pg_wal_replay_resume()');
  const run = readJsonRun(await cli.result);
  expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 2]);
  expect(run.of('cluster.held')[0]?.reason).toMatch(/^replica_b is \d+\.\d s behind, more than 0\.1 s$/);
  expect(run.of('cluster.released')).toMatchObject([{ cluster: 'main' }]);
});

describeOn('mariadb', () => {
  test('on MariaDB a query holds, and replicas are asked about in another way', { timeout: 60_000 }, async (scope) => {
    const mysql = await createTestMysql();
    scope.onTestFinished(() => mysql.drop());
    await mysql.query('CREATE TABLE hold (seconds_behind bigint)');
    await mysql.query('INSERT INTO hold VALUES (41)');
    const config = (throttle: string) => (db: Scene['db']) => ({
      config: `import { maxActiveSessions, maxReplicationLag } from 'tenancy-cli/hooks';
        export default {
          registry: { url: ${JSON.stringify(db.url)} },
          clusters: { main: { url: ${JSON.stringify(mysql.url)}, throttle: ${throttle} } },
          placement: { cluster: 'main', driver: 'mysql-database', name: '${mysql.name}_{id}' },
          migrations: { directory: './migrations' },
        };`,
      migrations: { '0001_accounts.sql': 'CREATE TABLE accounts (id int);\n' },
    });
    const scene = await createScene(
      scope,
      config(`[maxActiveSessions(500), { sql: 'SELECT seconds_behind FROM hold WHERE seconds_behind > 10', every: '1ms' }]`),
    );
    await scene.ok(['tenant', 'provision', 'a', 'b']);
    await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
    const cli = await scene.start(['tenant', 'migrate', '--all', '--json']);
    await listen(cli).hasSaid('"cluster.held"');
    await mysql.query('DELETE FROM hold');
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts.applied]).toEqual([0, 2]);
    expect(run.of('cluster.held')).toMatchObject([{ reason: 'its throttle query says 41' }]);

    await scene.write('tenancy.config.mjs', config(`maxReplicationLag('10s')`)(scene.db).config);
    await scene.write('migrations/0003_more.sql', 'CREATE TABLE more (id int);\n');
    const refused = await scene.json(['tenant', 'migrate', '--all']);
    expect(refused.finished).toMatchObject({
      exitCode: 2,
      error: { code: 'TENANCY_THROTTLE_FAILED', message: expect.stringContaining('heartbeat table') },
    });
  });
});
