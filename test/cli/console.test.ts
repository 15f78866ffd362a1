import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

/** What a person reads. The words matter here, so they are written out. */
describe.concurrent('in words', () => {
  test('a deploy says what was done, what is left and what to type next', async (scope) => {
    const scene = await createScene(scope);
    const normalise = (text: string): string => scene.normalise(text).replaceAll(/\d{8}-\d{6}-[a-z0-9]+/g, '<run>');
    await scene.ok(['tenant', 'provision', 'acme', 'globex', 'initech']);
    await scene.db.query('CREATE TABLE tenant_globex.plans (id int)');
    await scene.write('migrations/0002_plans.sql', 'CREATE TABLE plans (\n  id int\n);\n');
    const failed = await scene.run(['tenant', 'migrate', '--all']);
    expect(failed.exitCode).toBe(1);
    expect(normalise(failed.stdout)).toBe('✖ 2 migrated, 1 failed in <time>\n');
    const words = normalise(failed.stderr);
    expect(words).toContain(
      '✖ globex failed in migrate on main\n  migration 0002_plans, line 1, column 1: relation "plans" already exists (SQLSTATE 42P07)',
    );
    expect(words).toContain('1 | CREATE TABLE plans (');
    expect(words).toMatch(/→ .*tenancy run retry <run>\n$/);
    expect(words.match(/\bacme\b/g)?.length ?? 0).toBeLessThanOrEqual(1);
  });

  test('one tenant says each step, where it lives and how to connect', async (scope) => {
    const scene = await createScene(scope);
    const { stdout, stderr } = await scene.ok(['tenant', 'provision', 'acme']);
    for (const step of ['create', 'migrate', 'verify', 'activate']) expect(stderr + stdout).toContain(step);
    const url = new URL(scene.db.url);
    expect(stdout).toContain(`psql 'postgres://postgres@127.0.0.1:${url.port}/${scene.db.name}`);
    expect(stdout).toMatch(/schema +tenant_acme on main/);
  });

  test('a plan lists who goes from where to where, and says that nothing was written', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.write('migrations/0002_plans.sql', 'SELECT 1;\n');
    const { stdout } = await scene.ok(['tenant', 'migrate', '--all', '--dry-run']);
    expect(stdout).toContain('would migrate 1 tenant; nothing was written');
    expect(stdout).toMatch(/acme\s+0001_accounts → 0002_plans/);
  });

  test('nothing to do is said in one line', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    const { stdout, stderr } = await scene.ok(['tenant', 'migrate', '--all']);
    expect([stdout, stderr]).toEqual(['✔ 2 tenants up to date, nothing to do\n', expect.any(String)]);
    const none = await scene.ok(['tenant', 'migrate', '--label', 'plan=none']);
    expect(none.stdout).toMatch(/no tenants to migrate/);
  });

  test('config print shows every default and no secret, and needs no server', async (scope) => {
    const scene = await createScene(scope);
    await scene.write(
      'tenancy.config.mjs',
      `export default {
      clusters: { main: { url: 'postgres://admin:hunter2@db.example:5432/app' } },
      placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
      migrations: { directory: './migrations' },
    };`,
    );
    const { stdout } = await scene.ok(['config', 'print']);
    expect(stdout).toContain('db.example');
    expect(stdout).not.toContain('hunter2');
    const document = JSON.parse((await scene.ok(['config', 'print', '--json'])).stdout) as Record<string, unknown>;
    expect(JSON.stringify(document)).toMatch(/"retries":3/);
    expect(JSON.stringify(document)).toMatch(/"concurrency":8/);
  });
});

describe.concurrent('in JSON', () => {
  test('a run tells its whole story in order, with nothing on stderr', async (scope) => {
    const scene = await createScene(scope, { seeds: { 'plans.sql': 'SELECT 1;\n' } });
    const run = await scene.json(['tenant', 'provision', 'acme']);
    expect(run.stderr).toBe('');
    const told = run.events.map((event) => ('step' in event ? `${event.type} ${event.step}` : event.type));
    expect(told).toEqual([
      'run.started',
      'tenant.started',
      ...['create', 'migrate', 'seed', 'verify', 'activate'].flatMap((step) => [
        `step.started ${step}`,
        ...(step === 'migrate' ? ['tenant.planned', 'migration.finished'] : []),
        `step.finished ${step}`,
      ]),
      'tenant.located',
      'tenant.finished',
      'run.finished',
    ]);
    expect(run.of('tenant.finished')[0]).toMatchObject({ outcome: 'applied', attempts: 1, from: null, to: '0001_accounts' });
    expect(run.events.every(({ v, at }) => v === 1 && !Number.isNaN(Date.parse(at)))).toBe(true);
  });

  test('a reader that goes away early is no failure of the command', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme', 'globex']);
    const cli = await scene.start(['tenant', 'migrate', '--all', '--force-verify', '--json']);
    cli.stdout.destroy();
    expect((await cli.result).exitCode).toBe(0);
    const list = await scene.start(['tenant', 'list']);
    list.stdout.destroy();
    expect((await list.result).exitCode).toBe(0);
  });
});
