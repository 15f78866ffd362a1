import { readFileSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../rig/cli.js';
import { createScene } from './scene.js';

const { version } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };

describe.concurrent('the command line', () => {
  test('shows help and its version, and helps whoever mistypes', async (scope) => {
    const scene = await createScene(scope);
    const bare = await scene.run([]);
    expect([bare.exitCode, bare.stdout, bare.stderr]).toEqual([2, '', expect.stringContaining('Usage: tenancy')]);
    const help = await scene.run(['--help']);
    expect([help.exitCode, help.stderr, help.stdout]).toEqual([0, '', expect.stringContaining('Usage: tenancy')]);
    expect((await scene.run(['tenant', 'migrate', '--help'])).stdout).toMatch(/--max-failures[^]*--json/);
    for (const flag of ['--version', '-V']) expect((await scene.run([flag])).stdout).toBe(`${version}\n`);
    for (const [args, suggestion] of [
      [['tenent', 'list'], 'Did you mean tenant?'],
      [['tenant', 'provison', 'acme'], 'Did you mean provision?'],
      [['tenant', 'migrate', '--al'], 'Did you mean --all?'],
      [['tenant', 'list', '--jsno'], 'Did you mean --json?'],
    ] as const) {
      const wrong = await scene.run(args);
      expect([args, wrong.exitCode, wrong.stdout]).toEqual([args, 2, '']);
      expect(wrong.stderr).toContain(suggestion);
      const json = await scene.json(args);
      expect([json.exitCode, json.finished.error?.code]).toEqual([2, 'TENANCY_COMMAND_LINE_REJECTED']);
    }
    for (const args of [['tenant', 'show'], ['tenant', 'show', 'a', 'b'], ['tenant'], ['tenant', 'list', '--output', 'xml'], ['run']]) {
      expect([args, (await scene.run(args)).exitCode]).toEqual([args, 2]);
    }
  });

  test('keeps results on stdout, progress and errors on stderr, and is as loud as asked', async (scope) => {
    const scene = await createScene(scope);
    const normal = await scene.ok(['tenant', 'provision', 'a1']);
    expect(normal.stdout).toContain('tenant_a1');
    const quiet = await scene.ok(['tenant', 'provision', 'a2', '--quiet']);
    expect(quiet.stderr).toBe('');
    const verbose = await scene.ok(['tenant', 'provision', 'a3', '-v']);
    expect(verbose.stderr).toContain('0001_accounts');
    expect(verbose.stderr.length).toBeGreaterThan(normal.stderr.length);
    expect((await scene.ok(['tenant', 'list', '-q'])).stdout).toContain('a1');
    const failed = await scene.run(['tenant', 'show', 'a9', '--quiet']);
    expect([failed.exitCode, failed.stdout, failed.stderr]).toEqual([2, '', expect.stringContaining('a9')]);
    for (const result of [normal, quiet, verbose, failed])
      expect(stripVTControlCharacters(result.stdout + result.stderr)).toBe(result.stdout + result.stderr);
  });

  test('colours what people read only where that is wanted', async (scope) => {
    const scene = await createScene(scope);
    const isColorful = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<boolean> =>
      (await scene.run(['tenant', 'show', 'x', ...args], { env })).stderr.includes('\u001b[');
    expect(await isColorful([], {})).toBe(false);
    expect(await isColorful([], { FORCE_COLOR: '1' })).toBe(true);
    expect(await isColorful(['--no-color'], { FORCE_COLOR: '1' })).toBe(false);
    expect(await isColorful([], { FORCE_COLOR: '0' })).toBe(false);
    expect(await isColorful([], { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(true);
    expect(await isColorful(['--output', 'tty'], { NO_COLOR: '1' })).toBe(false);
    expect(await isColorful([], { FORCE_COLOR: '1', TENANCY_NO_COLOR: '1' })).toBe(false);
  });

  test('takes its options from flags before variables', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['registry', 'init']);
    const isJson = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<boolean> =>
      (await scene.run(['tenant', 'list', ...args], { env })).stdout.startsWith('{');
    expect(await isJson([], { TENANCY_OUTPUT: 'json' })).toBe(true);
    expect(await isJson(['--output', 'plain'], { TENANCY_OUTPUT: 'json' })).toBe(false);
    expect(await isJson(['--json'], { TENANCY_OUTPUT: 'plain' })).toBe(true);
    expect(await isJson([], { TENANCY_JSON: '1' })).toBe(true);
    const wrong = await scene.run(['tenant', 'list'], { env: { TENANCY_OUTPUT: 'xml' } });
    expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining('TENANCY_OUTPUT')]);
    const concurrency = await scene.run(['tenant', 'migrate', '--all'], { env: { TENANCY_CONCURRENCY: 'many' } });
    expect([concurrency.exitCode, concurrency.stderr]).toEqual([2, expect.stringContaining('TENANCY_CONCURRENCY')]);

    await scene.write('other/else.mjs', `export { default } from '../tenancy.config.mjs';`);
    await scene.write('tenancy.broken.mjs', 'export default {');
    expect((await scene.run(['tenant', 'list'], { env: { TENANCY_CONFIG: 'tenancy.broken.mjs' } })).exitCode).toBe(2);
    expect(
      (await scene.run(['tenant', 'list', '--config', 'other/else.mjs'], { env: { TENANCY_CONFIG: 'tenancy.broken.mjs' } })).exitCode,
    ).toBe(0);
    await scene.write('deep/er/readme.txt', '');
    expect((await scene.run(['tenant', 'list'], { cwd: `${scene.directory}/deep/er` })).exitCode).toBe(0);
  });

  test('reads env files only where it is told to, and what is set already wins', async (scope) => {
    const scene = await createScene(scope);
    await scene.write('.env', `DB_URL=${scene.db.url}\n`);
    await scene.write(
      'tenancy.config.mjs',
      `export default ({ env, command }) => ({
      clusters: { main: { url: env.DB_URL ?? 'postgres://127.0.0.1:1/' + command.replaceAll(' ', '-') } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
    });`,
    );
    const without = await scene.json(['tenant', 'list']);
    expect([without.exitCode, without.finished.error?.message]).toEqual([6, expect.stringContaining('tenant-list')]);
    expect((await scene.run(['registry', 'init', '--env-file', '.env'])).exitCode).toBe(0);
    expect((await scene.run(['tenant', 'list'], { env: { TENANCY_ENV_FILE: '.env' } })).exitCode).toBe(0);
    expect((await scene.run(['tenant', 'list', '--env-file', '.env'], { env: { DB_URL: 'postgres://127.0.0.1:1/won' } })).exitCode).toBe(6);
    // Given as a flag, Node.js itself gives up on it before it runs anything: https://github.com/nodejs/node/issues/54232.
    const missing = await scene.json(['tenant', 'list'], { env: { TENANCY_ENV_FILE: '.env.nowhere' } });
    expect([missing.exitCode, missing.finished.error?.message]).toEqual([2, expect.stringContaining('.env.nowhere')]);
  });
});
