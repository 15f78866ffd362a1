import { describe, expect, test } from 'vitest';
import { until } from '../rig/gate.js';
import { createScene, createSceneGate, readJsonRun } from './scene.js';

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
});
