import { describe, expect, test } from 'vitest';
import type { StampedRunEvent } from '../../src/events.js';
import { positionOf } from '../../src/fleet/waves.js';
import { assertDocument } from '../rig/events-schema.js';
import { createProcessGate, until } from '../rig/gate.js';
import { createScene, type JsonRun, readJsonRun, type Scene } from './scene.js';

const IDS = Array.from({ length: 10 }, (_, index) => `t${index}`);
/** In the order in which waves take them. */
const ORDER = [...IDS].sort((a, b) => positionOf(a) - positionOf(b));
const migrations = { '0001_a.sql': 'CREATE TABLE a (id int);' };

async function createFleet(scope: Parameters<typeof createScene>[0], configExtra = ''): Promise<Scene> {
  const scene = await createScene(scope, { migrations, configExtra });
  await scene.ok(['tenant', 'provision', ...IDS]);
  await scene.write('migrations/0002_b.sql', 'ALTER TABLE a ADD COLUMN b int;');
  return scene;
}

/** The migration fails for whoever has a row in `public.broken`. */
async function breakTenants(scene: Scene, ...tenants: readonly string[]): Promise<void> {
  const cases = tenants.map((id) => `current_schema() = 'tenant_${id}'`).join(' OR ') || 'false';
  await scene.write('migrations/0002_b.sql', `DO $$ BEGIN IF ${cases} THEN RAISE EXCEPTION 'broken'; END IF; END $$;`);
}

const whoStarted = (run: JsonRun): string[] =>
  run
    .of('tenant.started')
    .map(({ tenant }) => tenant)
    .sort();
const sorted = (ids: readonly string[]): string[] => [...ids].sort();

describe.concurrent('waves', () => {
  test('go one after the other, each begun when the one before has ended', async (scope) => {
    const scene = await createFleet(scope);
    const run = await scene.json(['tenant', 'migrate', '--all', '--waves', '1,40%,100%']);
    expect([run.exitCode, run.finished.counts.applied, run.of('run.started')[0]?.waves]).toEqual([0, 10, [1, 3, 6]]);
    expect(run.of('wave.started')).toMatchObject([
      { wave: 1, waves: 3, tenants: 1 },
      { wave: 2, waves: 3, tenants: 3 },
      { wave: 3, waves: 3, tenants: 6 },
    ]);
    expect(run.of('wave.finished').map(({ counts }) => counts.applied)).toEqual([1, 3, 6]);
    expect(readWaves(run.events)).toEqual([ORDER.slice(0, 1), ORDER.slice(1, 4), ORDER.slice(4)].map(sorted));
    expect(run.finished.stopped).toBeUndefined();
  });

  test('stop where a canary fails: nobody else is touched, and everything says who was never started', async (scope) => {
    const scene = await createFleet(scope);
    const [canary = ''] = ORDER;
    await breakTenants(scene, canary);
    const before = await readFences(scene);
    // A number of failures that the fleet would bear: the canary alone decides.
    const run = await scene.json(['tenant', 'migrate', '--all', '--canary', '1', '--max-failures', '5']);
    expect([run.exitCode, whoStarted(run)]).toEqual([1, [canary]]);
    expect(run.of('run.draining')).toMatchObject([{ reason: 'wave-failed', wave: 1, detail: '1 of 1 failed', notStarted: 9 }]);
    const stopped = { reason: 'wave-failed', wave: 1, waves: 2, detail: '1 of 1 failed', notStarted: 9 };
    expect(run.finished).toMatchObject({ counts: { failed: 1, 'not-started': 9 }, stopped });
    // Not even a lease was taken of theirs.
    const after = await readFences(scene);
    expect(IDS.filter((id) => after.get(id) !== before.get(id))).toEqual([canary]);
    const document = await scene.ok(['run', 'show', 'last', '--json']);
    expect(assertDocument<{ run: { stopped: unknown } }>('runShow', document.stdout).run.stopped).toEqual(stopped);
    const said = await scene.ok(['run', 'show', 'last']);
    expect(said.stdout).toContain('stopped by wave 1 of 2: 1 of 1 failed; 9 tenants were never started');

    // As careful again: the same canary first.
    await breakTenants(scene);
    const retried = await scene.json(['run', 'retry', 'last']);
    expect([retried.exitCode, readWaves(retried.events)]).toEqual([0, [[canary], sorted(ORDER.slice(1))]]);
    expect((await scene.json(['tenant', 'migrate', '--all', '--canary', '1'])).of('wave.started')).toEqual([]);
  });

  test('bear the share of failures that --max-failures says, and a rollback goes in waves too', async (scope) => {
    const scene = await createFleet(scope);
    await breakTenants(scene, ORDER[1] ?? '', ORDER[9] ?? '');
    const run = await scene.json(['tenant', 'migrate', '--all', '--waves', '4,100%', '--max-failures', '25%']);
    expect([run.exitCode, run.finished.counts.applied, run.finished.counts.failed]).toEqual([1, 8, 2]);
    const strict = await scene.json(['run', 'retry', 'last', '--waves', '1,100%', '--max-failures', '0']);
    expect([strict.exitCode, whoStarted(strict), strict.finished.stopped?.reason]).toEqual([1, [ORDER[1]], 'max-failures']);
    const back = await scene.json(['tenant', 'rollback', '--all', '--to', 'none', '--canary', '1', '--confirm', '10']);
    expect([whoStarted(back), back.finished.stopped]).toMatchObject([[ORDER[0]], { reason: 'wave-failed', wave: 1, notStarted: 9 }]);
  });

  test('ask the gate, which is told the wave, and is stopped by it without a failure', async (scope) => {
    const scene = await createFleet(
      scope,
      `hooks: { gate: ({ wave, waves, counts, failed, runId, signal }) => {
        console.error(JSON.stringify({ wave, waves, applied: counts.applied, failed, isRun: runId.length > 3, aborted: signal.aborted }));
        if (wave === 2) throw new Error('error rate 7% after ' + wave);
      } },`,
    );
    const run = await scene.json(['tenant', 'migrate', '--all', '--waves', '1,3,100%']);
    expect(run.stderr).toContain('{"wave":1,"waves":3,"applied":1,"failed":[],"isRun":true,"aborted":false}');
    expect(run.exitCode).toBe(4);
    const stopped = { reason: 'gate', wave: 2, waves: 3, detail: 'error rate 7% after 2', notStarted: 7 };
    expect(run.finished).toMatchObject({ counts: { applied: 3, 'not-started': 7 }, stopped });
    const plain = await scene.run(['tenant', 'migrate', '--all', '--waves', '2,3,100%']);
    expect(plain.stderr).toContain('wave 1 of 3: 2 tenants');
    expect(plain.stderr).toContain('the gate after wave 2 says no (error rate 7% after 2): starting no more tenants (4 left)');
    expect(plain.stdout).toContain('3 migrated, 3 up to date, 4 not started');
    expect(plain.stdout).toContain('stopped by the gate after wave 2 of 3: error rate 7% after 2');
  });

  test('end at once at Ctrl-C in the soak, and in a gate that minds nothing', async (scope) => {
    const gate = await createProcessGate();
    scope.onTestFinished(() => gate.open());
    const scene = await createFleet(scope, `hooks: { gate: () => ${gate.expression('gate')} },`);
    for (const flags of [['--soak', '1h'], []]) {
      const cli = await scene.start(['tenant', 'migrate', '--all', '--canary', '1', '--json', ...flags]);
      let said = '';
      cli.stdout.on('data', (chunk) => (said += String(chunk)));
      await until(() => said.includes('wave.finished'), 'the end of the first wave', 90_000);
      if (flags.length === 0) await gate.waiting(1);
      cli.kill('SIGINT');
      const run = readJsonRun(await cli.result);
      expect([run.exitCode, run.of('tenant.started')]).toMatchObject([130, [{}]]);
      expect(run.finished.stopped).toMatchObject({ reason: 'interrupted', wave: 1, waves: 2 });
    }
  });

  test('soak between waves and not after the last', async (scope) => {
    const scene = await createFleet(scope);
    const run = await scene.json(['tenant', 'migrate', '--all', '--canary', '1'], { env: { TENANCY_SOAK: '300ms' } });
    expect(run.of('wave.finished').map(({ soakMs }) => soakMs)).toEqual([300, 0]);
    const [first] = run.of('wave.finished');
    const [, second] = run.of('wave.started');
    expect(Date.parse(second?.at ?? '') - Date.parse(first?.at ?? '')).toBeGreaterThanOrEqual(290);
  });

  test('go through the tenants of a plan that was saved', async (scope) => {
    const scene = await createFleet(scope);
    await scene.ok(['tenant', 'migrate', '--all', '--dry-run', '--save', 'plan.json']);
    const run = await scene.json(['tenant', 'migrate', '--plan', 'plan.json', '--canary', '2']);
    expect([run.exitCode, readWaves(run.events)]).toEqual([0, [ORDER.slice(0, 2), ORDER.slice(2)].map(sorted)]);
  });

  test('come from a variable or the config, and are shown by a dry run', async (scope) => {
    const scene = await createFleet(scope, `defaults: { waves: '2,100%' },`);
    const planned = async (args: readonly string[], env = {}): Promise<unknown> =>
      (await scene.json(['tenant', 'migrate', '--all', '--dry-run', ...args], { env })).of('run.started')[0]?.waves;
    expect(await planned([])).toEqual([2, 8]);
    expect(await planned([], { TENANCY_WAVES: '50%', TENANCY_CANARY: '1' })).toEqual([1, 4, 5]);
    expect(await planned(['--waves', 'none'])).toBeUndefined();
  });

  test.for([
    [['--canary', '0'], /--canary: expected a number of tenants \(1\) or a share of them \(5%\), or none, got "0"/],
    [['--waves', '10%,5%'], /--waves: expected how far each wave reaches .* each further than the one before/],
    [['--soak', '10'], /--soak: expected a duration with its unit/],
    [['--soak', '10m'], /--soak: expected waves to wait between: add --canary 1, or --waves 1,10%,100%/],
  ] as const)('refuse %j', async ([flags, message], scope) => {
    const scene = await createScene(scope, { migrations });
    const { exitCode, stderr } = await scene.run(['tenant', 'migrate', '--all', ...flags]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

async function readFences({ db }: Scene): Promise<ReadonlyMap<string, unknown>> {
  const rows = await db.query<{ id: string; fence: unknown }>('SELECT id, fence FROM tenancy.tenants');
  return new Map(rows.map(({ id, fence }) => [id, fence]));
}

/** The tenants that were started in each wave. */
function readWaves(events: readonly StampedRunEvent[]): readonly (readonly string[])[] {
  const waves: string[][] = [];
  for (const event of events) {
    if (event.type === 'wave.started') waves.push([]);
    else if (event.type === 'tenant.started') waves.at(-1)?.push(event.tenant);
  }
  return waves.map(sorted);
}
