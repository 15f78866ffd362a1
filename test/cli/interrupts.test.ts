import { describe, expect, test } from 'vitest';
import type { StartedCli } from '../rig/cli.js';
import { createProcessGate, until } from '../rig/gate.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { createScene, createSceneGate, readJsonRun, type Scene } from './scene.js';

const ids = ['t1', 't2', 't3', 't4'];

/** Two of four tenants in flight, each waiting at the gate in its second migration. */
async function startGated(
  scene: Scene,
  scope: { onTestFinished(cleanUp: () => Promise<void>): void },
  args: readonly string[] = ['--json'],
): Promise<{ readonly cli: StartedCli; readonly open: () => Promise<void>; readonly hasSaid: (text: string) => Promise<void> }> {
  const gate = await createSceneGate(scope, scene);
  await scene.ok(['tenant', 'provision', ...ids]);
  await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
  const cli = await scene.start(['tenant', 'migrate', '--all', '--concurrency', '2', ...args]);
  let said = '';
  for (const stream of [cli.stdout, cli.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  await gate.waiting(2);
  return { cli, open: gate.open, hasSaid: (text) => until(() => said.includes(text), text) };
}

describe.concurrent('an interrupt', () => {
  test.for([
    ['SIGINT', 130, 'interrupted'],
    ['SIGTERM', 143, 'terminated'],
  ] as const)(
    'by %s lets what is in flight finish, starts nothing more, and leaves a run that can be resumed',
    async ([signal, exitCode, reason], scope) => {
      const scene = await createScene(scope);
      const { cli, open, hasSaid } = await startGated(scene, scope);
      cli.kill(signal);
      await hasSaid('run.draining');
      await open();
      const run = readJsonRun(await cli.result);
      expect([run.exitCode, run.of('run.draining')]).toEqual([exitCode, [expect.objectContaining({ reason, inFlight: 2, notStarted: 2 })]]);
      expect(run.finished.counts).toMatchObject({ applied: 2, 'not-started': 2, failed: 0, cancelled: 0 });
      expect(await scene.db.query('SELECT status, exit_code, not_started FROM tenancy.runs ORDER BY sequence DESC LIMIT 1')).toEqual([
        { status: 'interrupted', exit_code: exitCode, not_started: 2 },
      ]);
      expect(await scene.db.query('SELECT id FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).toEqual([]);
      const resumed = await scene.json(['run', 'retry', 'last']);
      expect([resumed.exitCode, resumed.finished.counts.applied, resumed.of('run.started')[0]?.selected]).toEqual([0, 2, 2]);
    },
  );

  test('repeated aborts what is in flight, and nothing of it stays', async (scope) => {
    const scene = await createScene(scope);
    const { cli, open, hasSaid } = await startGated(scene, scope);
    cli.kill('SIGINT');
    await hasSaid('run.draining');
    await cli.killAgain('SIGINT');
    const run = readJsonRun(await cli.result);
    expect(run.exitCode).toBe(130);
    expect(run.finished.counts).toMatchObject({ applied: 0, cancelled: 2, 'not-started': 2, failed: 0 });
    await until(
      async () =>
        (await scene.db.query(`SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'tenancy%'`, [scene.db.name]))
          .length === 0,
      'its sessions to end',
    );
    await open();
    expect(
      await scene.db.query(`SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'gated'`),
    ).toEqual([]);
    const resumed = await scene.json(['tenant', 'migrate', '--all']);
    expect([resumed.exitCode, resumed.finished.counts.applied]).toEqual([0, 4]);
  });

  test('says in words what is going on and what to type next', async (scope) => {
    const scene = await createScene(scope);
    const { cli, open, hasSaid } = await startGated(scene, scope, ['--output', 'plain']);
    cli.kill('SIGINT');
    await hasSaid('Ctrl-C again aborts them');
    await open();
    const { exitCode, stdout, stderr } = await cli.result;
    expect(exitCode).toBe(130);
    expect(stdout).toMatch(/2 migrated, 2 not started/);
    expect(stderr).toMatch(/finish the 2 tenants left: tenancy run retry \S+/);
  });

  test('of a hook kills the command it runs with all that it started, at the second', async (scope) => {
    const gate = await createProcessGate();
    scope.onTestFinished(() => gate.open());
    const scene = await createScene(scope, (db) => {
      const [file, ...args] = gate.command('child');
      return {
        databaseUrl: db.url,
        configExtra: `hooks: { seed: async (ctx) => { await ctx.exec(${JSON.stringify(file)}, ${JSON.stringify(args)}); } },`,
      };
    });
    const cli = await scene.start(['tenant', 'provision', 'acme', '--json']);
    await gate.waiting();
    let said = '';
    cli.stdout.on('data', (chunk) => (said += String(chunk)));
    cli.kill('SIGTERM');
    await until(() => said.includes('run.draining'), 'run.draining');
    await cli.killAgain('SIGTERM');
    const run = readJsonRun(await cli.result);
    expect([run.exitCode, run.finished.counts.cancelled]).toEqual([143, 1]);
    await until(() => gate.blockedCount === 0, 'the child to end');
    expect(await scene.db.query('SELECT status FROM tenancy.tenants')).toEqual([{ status: 'provisioning' }]);
  });

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s ends a command that hangs on a server, with run.finished as its last word', async ([signal, exitCode], scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    const proxy = await createTcpProxy(scene.db.url);
    scope.onTestFinished(() => proxy.close());
    await scene.write(
      'tenancy.config.mjs',
      `export default {
      clusters: { main: { url: ${JSON.stringify(proxy.url)} } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
      migrations: { directory: './migrations' },
    };`,
    );
    proxy.setBlackHole(true);
    for (const args of [['tenant', 'migrate', '--all'], ['tenant', 'provision', 'acme'], ['status']]) {
      const before = proxy.connectionCount;
      const cli = await scene.start([...args, '--json']);
      await until(() => proxy.connectionCount > before, 'the connection');
      cli.kill(signal);
      const run = readJsonRun(await cli.result);
      expect([args, run.exitCode]).toEqual([args, exitCode]);
    }
  });
});
