import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { positionOf } from '../../src/fleet/waves.js';
import type { StartedCli } from '../rig/cli.js';
import { createProcessGate, type SqlGate, until } from '../rig/gate.js';
import { createScene, createSceneGate, readJsonRun, type Scene } from './scene.js';

interface TestScope {
  onTestFinished(cleanUp: () => Promise<void>): void;
}

interface Deploy {
  readonly scene: Scene;
  readonly fleet: StartedCli;
  /** Holds the second migration, which the code of the sign-up doesn't have. */
  readonly gate: SqlGate;
  /** Lets the sign-up go on, and waits for its end. */
  readonly signUp: () => Promise<void>;
}

/** A sign-up by code with the old files is held, its tenant without migrations yet, until the fleet has listed its own and is at work. */
async function deployWhileSigningUp(scope: TestScope, flags: readonly string[], fails: readonly string[] = []): Promise<Deploy> {
  const signingUp = await createProcessGate();
  scope.onTestFinished(() => signingUp.open());
  const scene = await createScene(scope);
  const gate = await createSceneGate(scope, scene);
  await scene.ok(['tenant', 'provision', 't1', 't2']);
  const old = `import config from './tenancy.config.mjs';
export default { ...config, migrations: { directory: './old' }, hooks: { afterCreate: async () => { await ${signingUp.expression('sign-up')}; } } };`;
  await scene.write('old.config.mjs', old);
  await scene.write('old/0001_accounts.sql', await readFile(path.join(scene.directory, 'migrations/0001_accounts.sql'), 'utf8'));
  for (const id of fails) await scene.db.query(`CREATE TABLE tenant_${id}.gated (id int)`);
  const provisioning = await scene.start(['tenant', 'provision', early, '-c', 'old.config.mjs', '--json']);
  await signingUp.waiting(1);
  await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
  const fleet = await scene.start(['tenant', 'migrate', '--all', '--json', ...flags]);
  await gate.waiting(1);
  const signUp = async (): Promise<void> => {
    await signingUp.open();
    expect(readJsonRun(await provisioning.result).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect(await scene.db.query(`SELECT schema_version FROM tenancy.tenants WHERE id = '${early}'`)).toEqual([
      { schema_version: '0001_accounts' },
    ]);
  };
  return { scene, fleet, gate, signUp };
}

/** Of all ids the first, so that the fleet's reading is beyond it, and of all positions too, so that in waves it would be the canary. */
const early =
  Array.from({ length: 99 }, (_, index) => `early-${index}`).find((id) => positionOf(id) < Math.min(positionOf('t1'), positionOf('t2'))) ??
  '';

const listVersions = ({ db }: Scene): Promise<unknown> => db.query('SELECT DISTINCT schema_version FROM tenancy.tenants');

const remove = (id: string): string[] => ['tenant', 'deprovision', id, '--confirm', id, '--skip-backup', '--json'];

describe('one tenant, while a fleet is migrated', { timeout: 120_000 }, () => {
  test('ends at the newest version where it is provisioned meanwhile', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 't1', 't2']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
    const fleet = await scene.start(['tenant', 'migrate', '--all', '--json']);
    await gate.waiting(2);
    const provisioning = await scene.start(['tenant', 'provision', 'newcomer', '--json']);
    await gate.waiting(3);
    await gate.open();
    expect(readJsonRun(await fleet.result).finished).toMatchObject({ exitCode: 0, counts: { applied: 2 } });
    expect(readJsonRun(await provisioning.result).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    expect(await scene.db.query('SELECT DISTINCT schema_version FROM tenancy.tenants')).toEqual([{ schema_version: '0002_gated' }]);
  });

  test('ends at the newest version where code with older files provisioned it meanwhile', async (scope) => {
    const { scene, fleet, gate, signUp } = await deployWhileSigningUp(scope, []);
    await signUp();
    await gate.open();
    const run = readJsonRun(await fleet.result);
    expect(run.of('run.started')).toMatchObject([{ selected: 2 }]);
    expect(
      run
        .of('tenant.finished')
        .map(({ tenant }) => tenant)
        .sort(),
    ).toEqual([early, 't1', 't2']);
    expect(run.finished).toMatchObject({ exitCode: 0, counts: { applied: 3, 'up-to-date': 0, failed: 0 } });
    expect(await listVersions(scene)).toEqual([{ schema_version: '0002_gated' }]);
  });

  test('has its turn after the last wave where the fleet goes in waves', async (scope) => {
    const { scene, fleet, gate, signUp } = await deployWhileSigningUp(scope, ['--waves', '1,100%']);
    await signUp();
    await gate.open();
    const run = readJsonRun(await fleet.result);
    const turns = run.events.flatMap((event) =>
      ('tenant' in event && event.tenant === early) || event.type === 'wave.finished' ? [event.type] : [],
    );
    expect(turns.filter((type) => type === 'wave.finished' || type === 'tenant.finished')).toEqual([
      'wave.finished',
      'wave.finished',
      'tenant.finished',
    ]);
    expect(run.finished).toMatchObject({ exitCode: 0, counts: { applied: 3 } });
    expect(await listVersions(scene)).toEqual([{ schema_version: '0002_gated' }]);
  });

  test('is looked for once more without a second turn for those that failed', async (scope) => {
    const { fleet, gate, signUp } = await deployWhileSigningUp(scope, [], ['t1']);
    await signUp();
    await gate.open();
    const run = readJsonRun(await fleet.result);
    expect(
      run
        .of('tenant.finished')
        .map(({ tenant, outcome }) => `${tenant} ${outcome}`)
        .sort(),
    ).toEqual([`${early} applied`, 't1 failed', 't2 applied']);
    expect(run.finished).toMatchObject({ exitCode: 1, counts: { applied: 2, failed: 1, 'up-to-date': 0 } });
  });

  test('is looked for once more without a second turn for those that are ahead', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': 'SELECT 1;', '0002_b.sql': 'SELECT 2;' } });
    await scene.write(
      'older.config.mjs',
      `import config from './tenancy.config.mjs';
export default { ...config, migrations: { directory: './older' } };`,
    );
    await scene.write('older/0001_a.sql', 'SELECT 1;');
    await scene.ok(['tenant', 'provision', 't1', 't2']);
    const run = await scene.json(['tenant', 'migrate', '--all', '-c', 'older.config.mjs']);
    expect(
      run
        .of('tenant.started')
        .map(({ tenant }) => tenant)
        .sort(),
    ).toEqual(['t1', 't2']);
    expect(run.finished).toMatchObject({ exitCode: 0, counts: { applied: 0, 'up-to-date': 2 } });
  });

  test('is left as it is where the run is stopped', async (scope) => {
    const { scene, fleet, gate, signUp } = await deployWhileSigningUp(scope, ['--concurrency', '1']);
    await signUp();
    let said = '';
    fleet.stdout.on('data', (chunk) => (said += String(chunk)));
    fleet.kill('SIGINT');
    await until(() => said.includes('"run.draining"'), 'the run to drain');
    await gate.open();
    const run = readJsonRun(await fleet.result);
    expect(run.finished).toMatchObject({ exitCode: 130, counts: { applied: 1, 'not-started': 1 } });
    expect(await scene.db.query(`SELECT schema_version FROM tenancy.tenants WHERE id = '${early}'`)).toEqual([
      { schema_version: '0001_accounts' },
    ]);
  });

  test('is removed once its own migration is over, and is skipped where its turn comes after', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    const ids = ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8'];
    await scene.ok(['tenant', 'provision', ...ids]);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
    const fleet = await scene.start(['tenant', 'migrate', '--all', '--json', '--concurrency', '1']);
    await gate.waiting(1);
    // One in flight, and one of whom the fleet has heard and that it has not leased.
    const waiting = await scene.start(remove('t1'));
    let said = '';
    waiting.stdout.on('data', (chunk) => (said += String(chunk)));
    expect(readJsonRun(await (await scene.start(remove('t8'))).result).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    await until(() => said.includes('"run.started"'), 'the deprovision to begin');
    expect(await scene.db.query(`SELECT status FROM tenancy.tenants WHERE id = 't1'`)).toEqual([{ status: 'active' }]);
    await gate.open();
    expect(readJsonRun(await waiting.result).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    const run = readJsonRun(await fleet.result);
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 7, skipped: 1, failed: 0 })]);
    const homes = await scene.db.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant\\_%' ORDER BY 1`);
    expect(homes.map(({ nspname }) => nspname)).toEqual(['t2', 't3', 't4', 't5', 't6', 't7'].map((id) => `tenant_${id}`));
  });

  test('is counted as skipped where it was removed before its wave listed it', async (scope) => {
    const scene = await createScene(scope);
    const gate = await createSceneGate(scope, scene);
    await scene.ok(['tenant', 'provision', 't1', 't2', 't3']);
    await scene.write('migrations/0002_gated.sql', `${gate.sql}\nCREATE TABLE gated (id int);\n`);
    const fleet = await scene.start(['tenant', 'migrate', '--all', '--json', '--waves', '1,100%']);
    await gate.waiting(1);
    const [canary, later = ''] = ['t1', 't2', 't3'].sort((a, b) => positionOf(a) - positionOf(b));
    expect(readJsonRun(await (await scene.start(remove(later))).result).finished).toMatchObject({ exitCode: 0 });
    await gate.open();
    const run = readJsonRun(await fleet.result);
    expect(run.of('tenant.finished')[0]).toMatchObject({ tenant: canary, outcome: 'applied' });
    expect([run.exitCode, run.finished.counts]).toEqual([0, expect.objectContaining({ applied: 2, skipped: 1, 'up-to-date': 0 })]);
  });
});
