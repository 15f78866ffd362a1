import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import type { CliResult, StartedCli } from '../rig/cli.js';
import { assertDocument } from '../rig/events-schema.js';
import { type SqlGate, until } from '../rig/gate.js';
import { createScene, createSceneGate, type JsonRun, readJsonRun, type Scene } from './scene.js';

interface TestScope {
  onTestFinished(cleanUp: () => Promise<void>): void;
}

interface Gated {
  readonly scene: Scene;
  readonly cli: StartedCli;
  readonly gate: SqlGate;
  readonly hasSaid: (text: string, times?: number) => Promise<void>;
}

/** Two of six tenants in flight, each waiting at the gate in its second migration. */
async function startGated(scope: TestScope, args: readonly string[] = ['--json']): Promise<Gated> {
  const scene = await createScene(scope);
  const gate = await createSceneGate(scope, scene);
  await scene.ok(['tenant', 'provision', 't1', 't2', 't3', 't4', 't5', 't6']);
  await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
  const cli = await scene.start(['tenant', 'migrate', '--all', '--concurrency', '2', ...args]);
  let said = '';
  for (const stream of [cli.stdout, cli.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  await gate.waiting(2);
  return { scene, cli, gate, hasSaid: (text, times = 1) => until(() => said.split(text).length > times, text) };
}

const countLeases = async ({ db }: Scene): Promise<number> =>
  (await db.query('SELECT 1 FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).length;

const newestRun = async ({ db }: Scene): Promise<Record<string, unknown>> => {
  const [row] = await db.query('SELECT id, status, control, end_reason, exit_code FROM tenancy.runs ORDER BY sequence DESC LIMIT 1');
  return row ?? {};
};

/** By the registry's clock, as if the process had been silent for longer than a lease. */
const forgetProcess = ({ db }: Scene): Promise<unknown> =>
  db.query(`UPDATE tenancy.runs SET alive_until = clock_timestamp() - interval '1 s' WHERE status = 'running';
            UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() - interval '1 s' WHERE lease_owner IS NOT NULL`);

function expectDone(run: JsonRun, counts: Partial<JsonRun['finished']['counts']>, exitCode = 0): void {
  expect([run.exitCode, run.finished.counts]).toEqual([exitCode, expect.objectContaining(counts)]);
}

describe('a run that is paused from another process', { timeout: 120_000 }, () => {
  test('holds within two seconds, gives back what it has not started, and goes on when told', async (scope) => {
    const { scene, cli, gate, hasSaid } = await startGated(scope);
    const early = await scene.run(['run', 'retry', 'last']);
    expect([early.exitCode, early.stderr]).toEqual([2, expect.stringMatching(/it is still running\n.*run show.*run pause.*run cancel/)]);
    const paused = assertDocument<{ run: { status: string } }>('runControl', (await scene.ok(['run', 'pause', 'last', '--json'])).stdout);
    expect(paused).toMatchObject({ run: { status: 'paused', control: 'pause' }, changed: true, heard: true });
    expect((await scene.ok(['run', 'pause', 'last'])).stdout).toMatch(/is paused already/);
    expect((await scene.run(['run', 'retry', 'last'])).stderr).toMatch(/it is paused\n.*run resume.*run cancel/);
    await gate.open();
    await hasSaid('"tenant.finished"', 2);
    await until(async () => (await countLeases(scene)) === 0, 'every lease to be given back');
    // Nobody is kept from what the run holds back.
    expectDone(await scene.json(['tenant', 'migrate', 't6', '--lease-wait', '1s']), { applied: 1 });
    expect((await scene.ok(['run', 'list'])).stdout).toMatch(/paused/);
    // Those that are left are held, so that the run can't be over before it has said that it goes on.
    const left = await createSceneGate(scope, scene);
    const id = (await readPausedId(scene)) ?? '';
    expect((await scene.ok(['run', 'resume', id])).stdout).toBe(`${id} goes on\n`);
    await left.waiting(2);
    await left.open();
    const run = readJsonRun(await cli.result);
    expectDone(run, { applied: 5, 'up-to-date': 1, failed: 0, 'not-started': 0 });
    expect(run.of('run.paused')).toMatchObject([{ inFlight: 2, notStarted: 4 }]);
    expect(run.of('run.resumed')).toMatchObject([{ notStarted: 4 }]);
    const [asked] = await scene.db.query<{ at: Date }>(`SELECT at FROM tenancy.events WHERE type = 'run.asked' ORDER BY sequence LIMIT 1`);
    const heldAfterMs = Date.parse(run.of('run.paused')[0]?.at ?? '') - (asked?.at.getTime() ?? 0);
    expect(heldAfterMs).toBeLessThan(2_000);
  });

  test('ends at once by a Ctrl-C, and is gone on with under its id, at the target that it had', async (scope) => {
    const { scene, cli, gate, hasSaid } = await startGated(scope);
    await scene.ok(['run', 'pause', 'last']);
    await gate.open();
    await hasSaid('"tenant.finished"', 2);
    cli.kill('SIGINT');
    const first = readJsonRun(await cli.result);
    expectDone(first, { applied: 2, 'not-started': 4 }, 130);
    expect(await newestRun(scene)).toMatchObject({ status: 'interrupted', end_reason: 'interrupted' });
    await scene.write('migrations/0003_late.sql', 'CREATE TABLE late (id int);\n');
    const second = await scene.json(['run', 'resume', 'last']);
    expectDone(second, { applied: 6, 'not-started': 0, 'up-to-date': 0 });
    expect(second.of('run.started')).toMatchObject([{ selected: 6, doneBefore: 2, concurrency: 2, target: '0002_gated' }]);
    expect(second.of('tenant.finished')).toHaveLength(4);
    expect(second.finished.run).toBe(first.finished.run);
    expect(await scene.db.query('SELECT DISTINCT schema_version FROM tenancy.tenants')).toEqual([{ schema_version: '0002_gated' }]);
    expect(await newestRun(scene)).toMatchObject({ id: first.finished.run, status: 'finished', exit_code: 0 });
  });

  test('is interrupted where its process dies, and is gone on with without what ended, well or not', async (scope) => {
    const { scene, cli, gate, hasSaid } = await startGated(scope);
    await scene.db.query('CREATE TABLE tenant_t1.gated (id int)');
    await scene.ok(['run', 'pause', 'last']);
    await gate.open();
    await hasSaid('"tenant.finished"', 2);
    await until(
      async () =>
        (
          await scene.db.query(
            'SELECT 1 FROM tenancy.run_tenants WHERE run_id = (SELECT id FROM tenancy.runs ORDER BY sequence DESC LIMIT 1)',
          )
        ).length === 2,
      'both outcomes',
    );
    cli.kill('SIGKILL');
    await cli.result;
    await forgetProcess(scene);
    expect(JSON.parse((await scene.ok(['run', 'list', '--json'])).stdout).runs[0]).toMatchObject({
      status: 'interrupted',
      control: 'pause',
    });
    const refused = await scene.run(['run', 'pause', 'last']);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringMatching(/it was interrupted[\s\S]*run resume/)]);
    const resumed = await scene.json(['run', 'resume', 'last']);
    expectDone(resumed, { applied: 5, failed: 1, 'up-to-date': 0 }, 1);
    expect(resumed.finished.failed.map(({ tenant }) => tenant)).toEqual(['t1']);
    expect(resumed.of('tenant.finished')).toHaveLength(4);
    await scene.db.query('DROP TABLE tenant_t1.gated');
    expectDone(await scene.json(['run', 'retry', 'last']), { applied: 1 });
  });

  test('is gone on with by one of two who try', async (scope) => {
    const { scene, cli, gate } = await startGated(scope);
    cli.kill('SIGKILL');
    await cli.result;
    await forgetProcess(scene);
    // Both have read that it is interrupted by the time either may take it over.
    const holder = new Client({ connectionString: scene.db.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE tenancy.runs IN EXCLUSIVE MODE');
    const both = [await scene.start(['run', 'resume', 'last', '--json']), await scene.start(['run', 'resume', 'last', '--json'])];
    await until(
      async () => (await scene.db.query(`SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'tenancy.runs'::regclass`)).length === 2,
      'both to take it over',
    );
    await holder.query('COMMIT');
    await holder.end();
    const loser = await Promise.race(both.map(async ({ result }): Promise<CliResult> => result));
    expect([loser.exitCode, readJsonRun(loser).finished.error]).toMatchObject([
      2,
      { code: 'TENANCY_RUN_NOT_CONTROLLED', message: expect.stringContaining('another process has gone on with it in this moment') },
    ]);
    expect((await scene.ok(['run', 'resume', 'last'])).stdout).toMatch(/is not paused: it goes on already/);
    await gate.open();
    const ended = await Promise.all(both.map(async ({ result }): Promise<CliResult> => result));
    const winner = ended.find((result) => result !== loser) as CliResult;
    expectDone(readJsonRun(winner), { applied: 6 });
    expect((await newestRun(scene))['exit_code']).toBe(0);
    expect(await scene.db.query(`SELECT count(*)::int AS count FROM pg_class WHERE relname = 'gated'`)).toEqual([{ count: 6 }]);
  });
});

test('a plan is gone on with as fast, and with the limits, that it was begun with', { timeout: 120_000 }, async (scope) => {
  const scene = await createScene(scope);
  const gate = await createSceneGate(scope, scene);
  await scene.ok(['tenant', 'provision', 't1', 't2', 't3']);
  await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
  await scene.ok(['tenant', 'migrate', '--all', '--dry-run', '--save', 'plan.json']);
  const cli = await scene.start(['tenant', 'migrate', '--plan', 'plan.json', '--concurrency', '1', '--timeout', '2s']);
  await gate.waiting(1);
  cli.kill('SIGKILL');
  await cli.result;
  await forgetProcess(scene);
  // The gate stays closed: only a limit ends them.
  const resumed = await scene.json(['run', 'resume', 'last']);
  expect(resumed.of('run.started')).toMatchObject([{ selected: 3, concurrency: 1, target: '0002_gated' }]);
  expect(resumed.finished.failed.find(({ tenant }) => tenant === 't3')?.error?.code).toBe('TENANCY_TIMEOUT_REACHED');
  // As it would be of more than a thousand tenants.
  await scene.db.query(`UPDATE tenancy.runs SET status = 'running', finished_at = NULL, counts = NULL, options = jsonb_set(options, '{filter,ids}', 'null')
    WHERE id = (SELECT id FROM tenancy.runs ORDER BY sequence DESC LIMIT 1)`);
  await forgetProcess(scene);
  for (const verb of ['resume', 'retry']) {
    const { exitCode, stderr } = await scene.run(['run', verb, 'last']);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/too long to keep\n.*plan what is left anew: .*--dry-run --save FILE/)]);
  }
});

const readPausedId = async ({ db }: Scene): Promise<string | undefined> =>
  (await db.query<{ id: string }>('SELECT id FROM tenancy.runs WHERE paused_at IS NOT NULL'))[0]?.id;

describe('a run that is cancelled from another process', { timeout: 120_000 }, () => {
  test('finishes what is in flight, starts nothing more, and is taken up by a retry', async (scope) => {
    const { scene, cli, gate, hasSaid } = await startGated(scope);
    expect((await scene.ok(['run', 'cancel', 'last'])).stdout).toMatch(/is cancelled/);
    expect((await scene.ok(['run', 'cancel', 'last'])).stdout).toMatch(/already/);
    expect((await scene.run(['run', 'pause', 'last'])).exitCode).toBe(2);
    await hasSaid('"run.draining"');
    await gate.open();
    const run = readJsonRun(await cli.result);
    expectDone(run, { applied: 2, cancelled: 0, 'not-started': 4 }, 130);
    expect(run.of('run.draining')).toMatchObject([{ reason: 'cancelled' }]);
    expect((await scene.ok(['run', 'show', 'last'])).stdout).toMatch(/cancelled[\s\S]*run retry/);
    const refused = await scene.run(['run', 'resume', 'last']);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringMatching(/it was cancelled[\s\S]*run retry/)]);
    expectDone(await scene.json(['run', 'retry', 'last']), { applied: 4 });
  });

  test('with --now stops what is in flight, also where it had been paused', async (scope) => {
    const { scene, cli, gate, hasSaid } = await startGated(scope, ['--output', 'plain']);
    await scene.ok(['run', 'pause', 'last']);
    await hasSaid('paused by `tenancy run pause`: finishing 2 tenants in flight');
    await scene.ok(['run', 'cancel', 'last', '--now']);
    const { exitCode, stdout } = await cli.result;
    expect([exitCode, stdout]).toEqual([130, expect.stringMatching(/2 cancelled, 4 not started/)]);
    expect(await newestRun(scene)).toMatchObject({ status: 'interrupted', end_reason: 'cancelled' });
    await gate.open();
    expect(await scene.db.query(`SELECT count(*)::int AS count FROM pg_class WHERE relname = 'gated'`)).toEqual([{ count: 0 }]);
  });
});

test('a run that has ended, or that nobody knows, is refused in a sentence', async (scope) => {
  const scene = await createScene(scope);
  await scene.ok(['registry', 'init']);
  expect((await scene.run(['run', 'pause', 'last'])).stderr).toMatch(/there has been no run yet/);
  await scene.ok(['tenant', 'provision', 't1']);
  const { id } = await newestRun(scene);
  const typo = `${String(id).slice(0, -1)}_`;
  const unknown = await scene.run(['run', 'cancel', typo]);
  expect([unknown.exitCode, unknown.stderr]).toEqual([2, expect.stringContaining(`did you mean ${String(id)}?`)]);
  for (const verb of ['pause', 'resume', 'cancel']) {
    const { exitCode, stderr } = await scene.run(['run', verb, 'last']);
    expect([verb, exitCode, stderr]).toEqual([verb, 2, expect.stringMatching(/can't be \w+: it has finished/)]);
  }
});
