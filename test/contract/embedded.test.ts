import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AcquireOptions } from '../../src/embedded/acquire.js';
import { acquireEmbedded, readEmbeddedStatus, startEmbedded, stopEmbedded } from '../../src/embedded/index.js';
import { buildActor, endActors, root, startActor } from './embedded-actor.js';

let scratch: string;
let program: string;
let options: AcquireOptions;
let counter = 0;

beforeAll(async () => {
  // mkdtemp makes it 0700: as root, the server's user can't simply walk in.
  scratch = await mkdtemp(path.join(os.tmpdir(), 'embedded-'));
  program = await buildActor(scratch);
});

afterEach(async () => {
  await endActors();
  await stopEmbedded({ ...options, isForced: true });
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

function newFolder(): AcquireOptions {
  counter += 1;
  options = { directory: path.join(scratch, `a project ${counter}`, '.tenancy/postgres'), resolveFrom: root };
  return options;
}

async function query(url: string, text: string): Promise<Record<string, unknown>> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return ((await client.query(text)).rows[0] ?? {}) as Record<string, unknown>;
  } finally {
    await client.end();
  }
}

async function readStatus(): Promise<string> {
  return (await readEmbeddedStatus(options)).status;
}

describe('sharing', () => {
  test('the last of several users stops the server', async () => {
    newFolder();
    const notices: string[] = [];
    const first = await acquireEmbedded({ ...options, onNotice: (text) => notices.push(text) });
    const second = await acquireEmbedded(options);
    const third = startActor({ program });
    const answer = await third.ask('acquire', options);
    expect([first.wasStarted, second.wasStarted, answer.result?.['wasStarted']]).toEqual([true, false, false]);
    expect(answer.result?.['url']).toBe(first.url);
    expect(notices).toEqual([`the data of embedded:${options.directory} is in ${first.directory}`]);

    await first.release();
    await first.release();
    await second.release();
    expect(await query(first.url, 'SELECT 1 AS one')).toEqual({ one: 1 });
    await third.ask('release');
    expect(await readStatus()).toBe('stopped');
  });

  test('keeps data, encoding and port from one start to the next, also after the project was moved', async () => {
    newFolder();
    const first = await acquireEmbedded(options);
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    expect(
      await query(
        first.url,
        `SELECT current_setting('server_encoding') AS encoding, datcollate FROM pg_database WHERE datname = 'postgres'`,
      ),
    ).toEqual({
      encoding: 'UTF8',
      datcollate: 'C',
    });
    await first.release();
    const moved = path.join(scratch, `moved ${counter}`);
    await rename(path.join(options.directory, '../..'), moved);
    options = { ...options, directory: path.join(moved, '.tenancy/postgres') };
    const second = await acquireEmbedded(options);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual({ answer: 42 });
    expect(second.url).toBe(first.url);
    await second.release();
  });

  test('many processes that come and go lose nothing and leave nothing running', { timeout: 60_000 }, async () => {
    newFolder();
    const server = await acquireEmbedded(options);
    await query(server.url, 'CREATE TABLE visit (id int GENERATED ALWAYS AS IDENTITY)');
    await server.release();
    const actors = Array.from({ length: 20 }, () => startActor({ program }));
    const answers = await Promise.all(actors.map((actor) => actor.ask('churn', { ...options, times: 3 })));
    expect(answers.filter(({ code, message }) => code ?? message)).toEqual([]);
    expect(await readStatus()).toBe('stopped');
    const last = await acquireEmbedded(options);
    expect(await query(last.url, 'SELECT count(*)::int AS visits FROM visit')).toEqual({ visits: 60 });
    await last.release();
    expect((await readdir(options.directory)).sort()).toEqual(['.gitignore', 'server', 'server.log']);
  });

  test('processes that all find nothing make one database', async () => {
    newFolder();
    const actors = Array.from({ length: 5 }, () => startActor({ program }));
    const answers = await Promise.all(actors.map((actor) => actor.ask('acquire', options)));
    expect(answers.filter(({ code, message }) => code ?? message)).toEqual([]);
    expect(answers.filter(({ result }) => result?.['wasStarted'] === true)).toHaveLength(1);
    expect(new Set(answers.map(({ result }) => result?.['url'])).size).toBe(1);
    await Promise.all(actors.map((actor) => actor.ask('release')));
    expect(await readStatus()).toBe('stopped');
  });
});

describe('after a SIGKILL', () => {
  test('of the one who started it, the next takes the server over and stops it', async () => {
    newFolder();
    const starter = startActor({ program });
    const { result } = await starter.ask('acquire', options);
    const before = await readEmbeddedStatus(options);
    await starter.kill();
    const next = await acquireEmbedded(options);
    expect(next.wasStarted).toBe(false);
    expect(next.url).toBe(result?.['url']);
    expect(await readEmbeddedStatus(options)).toMatchObject({ pid: before.status === 'running' ? before.pid : 0 });
    await next.release();
    expect(await readStatus()).toBe('stopped');
  });

  test('of a user in the middle of a statement, the others go on and stop it', async () => {
    newFolder();
    const server = await acquireEmbedded(options);
    const user = startActor({ program });
    await user.ask('acquire', options);
    const sleeping = user.ask('query', { text: 'SELECT pg_sleep(60)' }).catch(() => undefined);
    while ((await query(server.url, `SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%sleep(60)'`))['n'] === 0)
      await delay(10);
    await user.kill();
    await sleeping;
    while ((await readEmbeddedStatus(options).then((found) => (found.status === 'running' ? found.clients : 0))) > 1) await delay(20);
    await server.release();
    expect(await readStatus()).toBe('stopped');
  });

  test('of the one who is making the database, the next makes it', async () => {
    newFolder();
    const starter = startActor({ program });
    const acquiring = starter.ask('acquire', options).catch(() => undefined);
    const isMaking = async (): Promise<boolean> =>
      (await readdir(options.directory).catch(() => [])).some((name) => name.startsWith('making-'));
    while (!(await isMaking())) await delay(2);
    await starter.kill();
    await acquiring;
    const next = await acquireEmbedded(options);
    expect(next.wasStarted).toBe(true);
    expect(await isMaking()).toBe(false);
    await next.release();
  });

  test('of the server, the next starts it again, though its number may belong to another process by then', async () => {
    newFolder();
    const first = await acquireEmbedded(options);
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    const before = await readEmbeddedStatus(options);
    if (before.status !== 'running') throw new Error(before.status);
    process.kill(before.pid, 'SIGKILL');
    await first.release();
    const file = path.join(first.directory, 'postmaster.pid');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(String(before.pid), String(process.pid)));
    expect(await readStatus()).toBe('stopped');
    const second = await acquireEmbedded(options);
    expect(second.wasStarted).toBe(true);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual({ answer: 42 });
    await second.release();
  });
});

describe('kept up', () => {
  test('a started server stays until it is stopped', async () => {
    newFolder();
    expect(await readEmbeddedStatus(options)).toEqual({ status: 'absent', directory: options.directory });
    const started = await startEmbedded(options);
    expect(started.wasStarted).toBe(true);
    const user = await acquireEmbedded(options);
    await user.release();
    expect(await readEmbeddedStatus(options)).toMatchObject({
      status: 'running',
      url: started.url,
      pid: started.pid,
      isKeptUp: true,
      clients: 0,
      version: expect.stringMatching(/^18\./),
    });
    expect(await startEmbedded(options)).toMatchObject({ wasStarted: false, pid: started.pid });
    expect(await stopEmbedded(options)).toEqual({ wasRunning: true });
    expect(await readEmbeddedStatus(options)).toMatchObject({ status: 'stopped', isKeptUp: false, version: '18' });
    expect(await stopEmbedded(options)).toEqual({ wasRunning: false });
  });

  test('stopping one in use is refused with the number of its connections, unless it is forced', async () => {
    newFolder();
    const started = await startEmbedded(options);
    const user = new Client({ connectionString: started.url });
    user.on('error', () => undefined);
    await user.connect();
    await expect(stopEmbedded(options)).rejects.toMatchObject({ code: 'TENANCY_EMBEDDED_IN_USE', exitCode: 4, details: { clients: 1 } });
    expect(await readEmbeddedStatus(options)).toMatchObject({ status: 'running', isKeptUp: true });
    expect(await stopEmbedded({ ...options, isForced: true })).toEqual({ wasRunning: true });
    expect(await readStatus()).toBe('stopped');
    await user.end().catch(() => undefined);
  });
});

test('the password is in a file of its owner alone, and in no argument, notice or log', async () => {
  newFolder();
  const notices: string[] = [];
  const server = await acquireEmbedded({ ...options, onNotice: (text) => notices.push(text) });
  const password = new URL(server.url).password;
  expect((await stat(path.join(options.directory, 'server/password'))).mode & 0o777).toBe(0o600);
  expect(await readFile(path.join(options.directory, '.gitignore'), 'utf8')).toBe('*\n');
  const { status, ...found } = await readEmbeddedStatus(options);
  const pid = 'pid' in found ? found.pid : 0;
  const command = process.platform === 'linux' ? await readFile(`/proc/${pid}/cmdline`, 'utf8') : '';
  expect(status).toBe('running');
  for (const text of [command, ...notices, await readFile(path.join(options.directory, 'server.log'), 'utf8')]) {
    expect(text).not.toContain(password);
  }
  const wrong = server.url.replace(password, 'wrong');
  await expect(query(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  await server.release();
});

test('another port is taken when its own is in use', async () => {
  newFolder();
  const first = await acquireEmbedded(options);
  await first.release();
  const port = Number(new URL(first.url).port);
  const squatter = net.createServer().listen(port, '127.0.0.1');
  const second = await acquireEmbedded(options);
  expect(new URL(second.url).port).not.toBe(String(port));
  await second.release();
  squatter.close();
});

test('an aborted wait ends with the reason and leaves nothing running', async () => {
  newFolder();
  const reason = new Error('enough');
  const controller = new AbortController();
  const acquiring = acquireEmbedded({ ...options, signal: controller.signal });
  while (!(await readdir(options.directory).catch(() => [])).some((name) => name.startsWith('making-'))) await delay(2);
  controller.abort(reason);
  await expect(acquiring).rejects.toBe(reason);
  expect(await readdir(options.directory)).toEqual(['.gitignore']);
});
