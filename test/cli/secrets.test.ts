import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CliResult } from '../rig/cli.js';
import { freePort } from '../rig/private-server.js';
import { createScene, type Scene } from './scene.js';

const secret = 'p4ss/c@nary';
const forms = [secret, encodeURIComponent(secret), 'c@nary', 'c%40nary'];

async function withSecret(scene: Scene, change: (url: URL) => void = () => undefined): Promise<void> {
  const url = new URL(scene.db.url);
  url.username = `${scene.db.name}_admin`;
  url.password = encodeURIComponent(secret);
  change(url);
  await scene.write(
    'tenancy.config.mjs',
    `export default {
    clusters: { main: { url: ${JSON.stringify(url.href)} } },
    placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
    migrations: { directory: './migrations' },
    hooks: { seed: async (ctx) => { ctx.log('at ' + ctx.url); await ctx.exec(process.execPath, ['-e', 'console.log(process.env.DATABASE_URL)']); if (process.env.BROKEN) throw new Error('cannot use ' + ctx.url); } },
  };`,
  );
}

async function readLogs(directory: string): Promise<string> {
  const entries = await readdir(path.join(directory, '.tenancy'), { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

function expectNoSecret(what: string, text: string): void {
  for (const form of forms) expect([what, text.includes(form)]).toEqual([what, false]);
}

describe.concurrent('a password', () => {
  test('is in nothing that is printed, kept or logged, whether it goes well or not', async (scope) => {
    const scene = await createScene(scope);
    await scene.db.query(`CREATE ROLE ${scene.db.name}_admin LOGIN SUPERUSER PASSWORD '${secret}'`);
    scope.onTestFinished(async () => {
      await scene.db.query(`DROP OWNED BY ${scene.db.name}_admin CASCADE`);
    });
    await withSecret(scene);
    const results: [string, CliResult][] = [];
    const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> => {
      results.push([args.join(' '), await scene.run(args, { env })]);
    };
    await run(['tenant', 'provision', 'acme', '--json', '-v']);
    await run(['tenant', 'provision', 'globex', '-v']);
    await run(['tenant', 'provision', 'broken', '-v'], { BROKEN: '1' });
    await run(['tenant', 'provision', 'broken', '--json'], { BROKEN: '1' });
    await run(['config', 'print']);
    await run(['config', 'print', '--json']);
    await run(['tenant', 'show', 'broken', '--json']);
    await run(['status']);
    await run(['run', 'show', 'last', '--json']);
    await run(['doctor', '--json']);
    expect(results.map(([, { exitCode }]) => exitCode).slice(0, 9)).toEqual([0, 0, 1, 1, 0, 0, 0, 0, 0]);
    for (const [what, { stdout, stderr }] of results) expectNoSecret(what, stdout + stderr);
    const logs = await readLogs(scene.directory);
    expect(logs).toContain('at postgres://');
    expectNoSecret('the logs', logs);
    expectNoSecret('the registry', JSON.stringify(await scene.snapshot()));
  });

  test('is in no message of a server that refuses it or is not there', async (scope) => {
    const scene = await createScene(scope);
    await scene.db.query(`CREATE ROLE ${scene.db.name}_admin LOGIN PASSWORD 'another'`);
    const port = await freePort();
    for (const [exitCode, change] of [
      [2, () => undefined],
      [6, (url: URL) => (url.port = String(port))],
      [6, (url: URL) => (url.hostname = 'no-such-host.invalid')],
      [2, (url: URL) => url.searchParams.set('sslmode', 'sideways')],
    ] as const) {
      await withSecret(scene, (url) => void change(url));
      for (const args of [['tenant', 'list', '--json'], ['tenant', 'provision', 'acme', '-v'], ['doctor']]) {
        const { stdout, stderr, exitCode: code } = await scene.run(args);
        expectNoSecret(args.join(' '), stdout + stderr);
        if (args[0] === 'tenant') expect([exitCode, args, code, stderr]).toEqual([exitCode, args, exitCode, stderr]);
      }
    }
  });
});
