import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { assertPlan } from '../rig/events-schema.js';
import { createScene } from './scene.js';

test('a dry run saves its plan, and --plan carries out that and nothing else', async (scope) => {
  const scene = await createScene(scope, { migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n' } });
  await scene.ok(['tenant', 'provision', 'acme', 'globex']);
  await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
  const before = await scene.snapshot();
  const planned = await scene.run(['tenant', 'migrate', '--all', '--dry-run', '--save', 'plan.json', '--exit-code', '--verbose']);
  expect([planned.exitCode, scene.normalise(planned.stdout)]).toEqual([
    3,
    `acme: migrate, 0001_a → 0002_b, 1 migration
globex: migrate, 0001_a → 0002_b, 1 migration
would migrate 2 tenants; nothing was written

acme, globex  0001_a → 0002_b, 1 migration
  0002_b

no earlier run tells how long it would take

✔ saved as <project>/plan.json: carry it out with --plan
`,
  ]);
  assertPlan(await readFile(`${scene.directory}/plan.json`, 'utf8'));
  expect(await scene.snapshot()).toEqual(before);
  const beside = await scene.json(['tenant', 'migrate', '--plan', 'plan.json', '--all']);
  expect([beside.exitCode, beside.finished.error?.message]).toEqual([2, expect.stringContaining('leave out --all')]);
  const done = await scene.json(['tenant', 'migrate', '--plan', 'plan.json']);
  expect([done.exitCode, done.finished.counts.applied]).toEqual([0, 2]);
  const again = await scene.json(['tenant', 'migrate', '--plan', 'plan.json', '--dry-run']);
  expect([again.exitCode, again.finished.error?.code, again.finished.error?.message]).toEqual([
    4,
    'TENANCY_PLAN_MOVED',
    expect.stringContaining('acme is at 0002_b, and was at 0001_a'),
  ]);
});
