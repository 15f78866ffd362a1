import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execForTenant } from '../../src/util/exec.js';
import { registerSecret } from '../../src/util/redact.js';
import { until } from '../rig/gate.js';

let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'exec-'));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

interface Run {
  readonly stdout: string | null;
  readonly error: string | null;
  /** As it came, one entry a call. */
  readonly logged: readonly string[];
}

async function run(file: string, args: readonly string[], options: Partial<Parameters<typeof execForTenant>[2]> = {}): Promise<Run> {
  const logged: string[] = [];
  const ended = new AbortController();
  try {
    const defaults = { cwd, env: {}, signal: ended.signal, onOutput: (text: string) => logged.push(text) };
    const { stdout } = await execForTenant(file, args, { ...defaults, ...options });
    return { stdout, error: null, logged };
  } catch (error) {
    return { stdout: null, error: error instanceof Error ? error.message : String(error), logged };
  } finally {
    ended.abort(new Error('the tenant is done'));
  }
}

const node = (code: string, options?: Parameters<typeof run>[2]): Promise<Run> => run(process.execPath, ['-e', code], options);

/** One that was killed and that nobody has asked after yet is gone too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self/stat') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** A program that leaves another running, which holds its output open, and tells its number in a file. */
function forks(file: string, isLeaderStaying: boolean): string {
  return `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid));
    console.log('started');
    ${isLeaderStaying ? 'setInterval(() => {}, 1000)' : 'child.unref(); process.exitCode = 0'};`;
}

async function readPid(file: string): Promise<number> {
  await until(async () => (await readFile(file, 'utf8').catch(() => '')) !== '', 'the child to be started');
  return Number(await readFile(file, 'utf8'));
}

describe('what a program says', () => {
  test('is logged in whole lines, without escape sequences; the caller has it as it is', async () => {
    const { stdout, logged } = await node(
      `process.stdout.write('\\x1b[31mgr'); setTimeout(() => process.stdout.write('ün\\x1b[0m\\r\\nlast'), 20)`,
    );
    expect(stdout).toBe('\x1b[31mgrün\x1b[0m\r\nlast');
    expect(logged.join('\n')).toBe('grün\nlast');
  });

  test('has its secrets blanked where they come in two pieces', async () => {
    registerSecret('pieces-canary-7181');
    const { logged, error } = await node(
      `process.stderr.write('to postgres://app:unregist'); process.stdout.write('pieces-can');
       setTimeout(() => { process.stderr.write('ered9@db/x\\n'); process.stdout.write('ary-7181 is it\\n'); process.exitCode = 3; }, 50)`,
    );
    expect(logged).toContain('*** is it');
    expect(logged).toContain('to postgres://app:***@db/x');
    expect(error).toBe('node exited with 3:\nto postgres://app:***@db/x');
  });

  test('has its secrets blanked beside the cut of a line that never ends', async () => {
    registerSecret('endless-canary-5512');
    const { logged } = await node(`process.stdout.write('x '.repeat(31995) + 'endless-canary-5512' + ' y'.repeat(50000) + '\\nnext\\n')`);
    const text = logged.join('\n');
    expect(text).not.toMatch(/endless-can|canary/);
    expect(text).toMatch(/^x x .*… \(the line goes on\)\nnext$/);
    expect(text.length).toBeLessThan(65_000);
  });

  test('is bounded for the caller and for the log', async () => {
    const megabytes = 12;
    const { stdout, logged } = await node(
      `const line = 'x'.repeat(99) + '\\n'; const write = (n) => { if (n > 0) process.stdout.write(line.repeat(10000), () => write(n - 1)); }; write(${megabytes})`,
    );
    expect(stdout?.length).toBeLessThan(1_100_000);
    expect(logged.join('').length).toBeLessThan(10_200_000);
    expect(logged.at(-1)).toContain('is not kept');
  });

  test('ends a failure with its last lines, of the error output where there is any', async () => {
    const lines = `for (let n = 1; n <= 9; n++) console.error('line ' + n)`;
    expect((await node(`console.log('fine'); ${lines}; process.exitCode = 3`)).error).toBe(
      'node exited with 3:\nline 5\nline 6\nline 7\nline 8\nline 9',
    );
    expect((await node(`console.log('no such table'); process.exitCode = 1`)).error).toBe('node exited with 1:\nno such table');
    expect((await node('process.exitCode = 1')).error).toBe('node exited with 1');
    expect((await node(`console.error('y'.repeat(5000)); process.exitCode = 1`)).error?.length).toBeLessThan(1_100);
  });

  test('leaves out where an error passed through, so that what it says is among them; the log has it all', async () => {
    const { error, logged } = await node(
      `const nest = (n) => { if (n === 0) throw new Error('no table notes'); nest(n - 1); }; Error.stackTraceLimit = 30; nest(20)`,
    );
    expect(error).toMatch(/^node exited with 1:\n(.*\n)*Error: no table notes\nNode\.js v\d/);
    expect(error).not.toMatch(/^\s+at /m);
    expect(logged.join('\n').match(/^\s+at nest/gm)).toHaveLength(21);
  });
});

describe('a program that is not run', () => {
  test('is said to be missing, with where it was looked for', async () => {
    const { error } = await run('no-such-program', []);
    expect(error).toBe(
      `no-such-program: command not found (looked for in node_modules/.bin from ${cwd} upwards, and in PATH): install it, or correct its name`,
    );
  });

  test('is said to be none, or its directory to be missing', async () => {
    await writeFile(path.join(cwd, 'data.txt'), 'x');
    expect((await run('./data.txt', [])).error).toMatch(/data\.txt can't be run: it is no program, or not one for this user/);
    expect((await node('', { cwd: path.join(cwd, 'nowhere') })).error).toMatch(/can't be run in .*nowhere: there is no such directory/);
  });

  test("is the project's own before that of the machine", async () => {
    const bin = path.join(cwd, 'node_modules/.bin');
    await mkdir(bin, { recursive: true });
    await writeFile(path.join(bin, 'ls'), '#!/bin/sh\necho the project has its own\n');
    await chmod(path.join(bin, 'ls'), 0o755);
    expect((await run('ls', [])).stdout).toBe('the project has its own\n');
  });

  test('says the signal that killed it', async () => {
    expect((await node(`process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`)).error).toBe('node was killed by SIGTERM');
  });
});

describe('what a program leaves running', () => {
  test('does not hold its end up, lives until the tenant is done, and is gone then', async () => {
    const file = path.join(cwd, 'left.pid');
    const tenant = new AbortController();
    const { stdout } = await node(forks(file, false), { signal: tenant.signal });
    expect(stdout).toBe('started\n');
    const pid = await readPid(file);
    expect(isAlive(pid)).toBe(true);
    tenant.abort(new Error('the tenant is done'));
    await until(async () => !isAlive(pid), 'the grandchild to be gone');
  });

  test('is killed with it by an abort', async () => {
    const file = path.join(cwd, 'killed.pid');
    const tenant = new AbortController();
    const running = node(forks(file, true), { signal: tenant.signal });
    const pid = await readPid(file);
    tenant.abort(new Error('the timeout was reached'));
    expect((await running).error).toBe('the timeout was reached');
    await until(async () => !isAlive(pid), 'the grandchild to be gone');
  });

  test('is not waited for where it goes on talking, and is killed when the tenant is done', async () => {
    const file = path.join(cwd, 'talks.pid');
    const tenant = new AbortController();
    const talker = `setInterval(() => console.log('still here'), 20)`;
    const { error, logged } = await node(
      `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(talker)}], { stdio: 'inherit' });
       require('node:fs').writeFileSync(${JSON.stringify(file)}, String(child.pid)); child.unref();`,
      { signal: tenant.signal },
    );
    expect(error).toBeNull();
    const pid = await readPid(file);
    await until(async () => logged.length > 3, 'what is left running to be heard');
    tenant.abort(new Error('the tenant is done'));
    await until(async () => !isAlive(pid), 'the grandchild to be gone');
  });
});
