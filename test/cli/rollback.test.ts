import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

const migrations = {
  '0001_a.sql': 'CREATE TABLE a (id int);\n',
  '0001_a.down.sql': 'DROP TABLE a;\n',
  '0002_b.sql': 'CREATE TABLE b (id int);\n',
  '0002_b.down.sql': 'DROP TABLE b;\n',
  '0003_c.sql': 'CREATE TABLE c (id int);\n',
  '0003_c.down.sql': 'DROP TABLE c;\n',
};

describe.concurrent('rollback', () => {
  test('of one tenant asks nothing, of more asks for how many', async (scope) => {
    const scene = await createScene(scope, { migrations });
    await scene.ok(['tenant', 'provision', 'acme', 'globex', 'initech']);
    const single = await scene.json(['tenant', 'rollback', 'acme', '--to', '2']);
    expect([single.exitCode, single.of('migration.finished').map(({ migration, direction }) => [migration, direction])]).toEqual([
      0,
      [['0003_c', 'down']],
    ]);
    const before = await scene.snapshot();
    const refuse = async (args: readonly string[]): Promise<readonly unknown[]> => {
      const run = await scene.json(['tenant', 'rollback', ...args]);
      return [run.exitCode, run.finished.error?.code];
    };
    expect(await refuse(['--all', '--to', '1'])).toEqual([4, 'TENANCY_CONFIRMATION_MISSING']);
    expect(await refuse(['--all', '--to', '1', '--yes'])).toEqual([4, 'TENANCY_CONFIRMATION_MISSING']);
    expect(await refuse(['--all', '--to', '1', '--confirm', '2'])).toEqual([4, 'TENANCY_CONFIRMATION_MISMATCHED']);
    expect(await refuse(['acme', '--to', '1', '--confirm', '3'])).toEqual([4, 'TENANCY_CONFIRMATION_MISMATCHED']);
    expect(await refuse(['--all', '--to', '9'])).toEqual([2, 'TENANCY_MIGRATION_TARGET_UNKNOWN']);
    expect(await refuse(['--all'])).toEqual([2, 'TENANCY_COMMAND_LINE_REJECTED']);
    expect(await refuse(['--to', '1'])).toEqual([2, 'TENANCY_SELECTION_MISSING']);
    const planned = await scene.json(['tenant', 'rollback', '--all', '--to', 'none', '--dry-run']);
    expect(planned.exitCode).toBe(0);
    expect(
      planned
        .of('tenant.planned')
        .map(({ tenant, migrations: names, to }) => [tenant, names, to])
        .sort(),
    ).toEqual([
      ['acme', ['0002_b', '0001_a'], null],
      ['globex', ['0003_c', '0002_b', '0001_a'], null],
      ['initech', ['0003_c', '0002_b', '0001_a'], null],
    ]);
    expect(await scene.snapshot()).toEqual(before);

    const all = await scene.json(['tenant', 'rollback', '--all', '--to', '0001_a', '--confirm', '3']);
    expect([all.exitCode, all.finished.counts.applied]).toEqual([0, 3]);
    const none = await scene.json(['tenant', 'rollback', '--all', '--to', 'none', '--confirm', '3']);
    expect([none.exitCode, none.finished.counts.applied]).toEqual([0, 3]);
    expect(await scene.db.query(`SELECT DISTINCT schema_version FROM tenancy.tenants`)).toEqual([{ schema_version: null }]);
    const nothing = await scene.json(['tenant', 'rollback', 'acme', '--to', 'none']);
    expect([nothing.exitCode, nothing.finished.counts['up-to-date']]).toEqual([0, 1]);
    const up = await scene.json(['tenant', 'migrate', '--all']);
    expect([up.exitCode, up.finished.counts.applied, up.of('migration.finished').length]).toEqual([0, 3, 9]);
  });

  test('refuses what has no down file before anything is taken back', async (scope) => {
    const { '0002_b.down.sql': _, ...irreversible } = migrations;
    const scene = await createScene(scope, { migrations: irreversible });
    await scene.ok(['tenant', 'provision', 'acme']);
    const run = await scene.json(['tenant', 'rollback', 'acme', '--to', '1']);
    expect([run.exitCode, run.finished.failed[0]?.error?.code, run.of('migration.finished')]).toEqual([
      4,
      'TENANCY_MIGRATION_IRREVERSIBLE',
      [],
    ]);
    expect(run.finished.failed[0]?.error?.message).toContain('0002_b');
    expect((await scene.json(['tenant', 'rollback', 'acme', '--to', '2'])).exitCode).toBe(0);
  });

  test('that fails half way says how far it came, and is retried with the same target', async (scope) => {
    const scene = await createScene(scope, { migrations });
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    await scene.db.query('CREATE VIEW tenant_acme.v AS SELECT * FROM tenant_acme.b');
    const run = await scene.json(['tenant', 'rollback', '--all', '--to', '1', '--confirm', '2']);
    expect([run.exitCode, run.finished.failed.map(({ tenant }) => tenant)]).toEqual([1, ['acme']]);
    expect(await scene.db.query(`SELECT schema_version FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([{ schema_version: '0002_b' }]);
    await scene.db.query('DROP VIEW tenant_acme.v');
    const retried = await scene.json(['run', 'retry', 'last']);
    expect([retried.exitCode, retried.of('tenant.finished').map(({ tenant, to }) => [tenant, to])]).toEqual([0, [['acme', '0001_a']]]);
  });
});
