import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { startWatchdog } from './watchdog.js';

/** In the environment of every process that the tests start, so that those left behind can be told. */
const marker = 'RIG_RUN';

/** What Node and loaders of TypeScript (ours: `tenancy-cli-` and the user) keep in any temporary directory. */
const caches = /^(node-compile-cache|jiti|tenancy-cli-\d+|v8-compile-cache.*|vite.*|vitest.*)$/;

export interface RunDirectory {
  /** Ends what is left, takes the directory away, and tells what that was: nothing, if all tests clean up. */
  close(): Promise<readonly string[]>;
}

/**
 * Gives the whole run a temporary directory of its own, through TMPDIR, before the first worker starts.
 * What is found in it, in the repository or in the list of processes afterwards has been left behind by a test.
 */
export function openRunDirectory(root: string): RunDirectory {
  const run = randomBytes(6).toString('hex');
  const directory = mkdtempSync(path.join(chooseParent(), 'tenancy-test-'));
  // As root, servers run as another user, who must be able to get in.
  chmodSync(directory, 0o755);
  const before = { TMPDIR: process.env.TMPDIR, files: listUntracked(root) };
  process.env.TMPDIR = directory;
  process.env[marker] = run;
  const watchdog = startWatchdog(directory);
  return {
    async close() {
      const left = [
        ...(await endLeftProcesses(run, directory, watchdog.pid)),
        ...listLeftFiles(directory),
        ...newFiles(root, before.files),
      ];
      if (before.TMPDIR === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before.TMPDIR;
      rmSync(directory, { recursive: true, force: true });
      watchdog.kill('SIGKILL');
      return left;
    },
  };
}

/** Databases come and go here by the thousand, and a disk's file system spends a fifth of a run on finding places for their files. */
const IN_MEMORY = '/dev/shm';
/** Linux' number for a file system in memory, and what a run may take of it. */
const TMPFS = 0x01021994;
const ROOM_BYTES = 8 * 1024 ** 3;

/** In memory where there is plenty and programs may be started there; else, or where TMPDIR says so, where temporary files go. */
function chooseParent(): string {
  if (process.env.TMPDIR !== undefined || process.availableMemory() < 2 * ROOM_BYTES) return os.tmpdir();
  try {
    const { type, bavail, bsize } = statfsSync(IN_MEMORY);
    return type === TMPFS && bavail * bsize >= ROOM_BYTES && mayStartPrograms(IN_MEMORY) ? IN_MEMORY : os.tmpdir();
  } catch {
    // Not there, or not ours to write to.
    return os.tmpdir();
  }
}

function mayStartPrograms(parent: string): boolean {
  const probe = mkdtempSync(path.join(parent, 'tenancy-test-'));
  try {
    const program = path.join(probe, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    execFileSync(program);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true });
  }
}

function listLeftFiles(directory: string): string[] {
  // Projects are the rig's own and go with the directory.
  return readdirSync(directory)
    .filter((name) => !caches.test(name) && !name.startsWith('project-'))
    .map((name) => `file ${path.join(directory, name)}`);
}

function newFiles(root: string, before: ReadonlySet<string>): string[] {
  // Only where nobody works in the tree meanwhile can a new file be blamed on a test.
  if (process.env.CI === undefined) return [];
  return [...listUntracked(root)].filter((file) => !before.has(file)).map((file) => `file ${file}`);
}

function listUntracked(root: string): Set<string> {
  if (!existsSync(path.join(root, '.git'))) return new Set();
  try {
    const args = ['-c', 'safe.directory=*', 'status', '--porcelain', '--ignored', '--untracked-files=all'];
    const lines = execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n');
    return new Set(lines.map((line) => line.slice(3)).filter((file) => file !== '' && !/^(dist|node_modules)\//.test(file)));
  } catch {
    // Without git there is no telling.
    return new Set();
  }
}

interface LeftProcess {
  readonly pid: number;
  readonly command: string;
}

/** Only Linux tells the environment of a process; elsewhere this finds none. */
async function endLeftProcesses(run: string, directory: string, except?: number): Promise<string[]> {
  let left = listProcesses(run, directory, except);
  // One that was told to end needs a moment.
  for (let attempt = 0; left.length > 0 && attempt < 20; attempt++) {
    await delay(100);
    left = listProcesses(run, directory, except);
  }
  for (const { pid } of left) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return left.map(({ pid, command }) => `process ${pid}: ${command}`);
}

function listProcesses(run: string, directory: string, except?: number): LeftProcess[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && ![process.pid, except].includes(Number(name)))
    .flatMap((name) => {
      const command = readProc(name, 'cmdline').replaceAll('\0', ' ').trim();
      const isOurs = readProc(name, 'environ').includes(`${marker}=${run}`) || command.includes(directory);
      // vitest's workers and the transpiler's service end after this.
      const isVitest = /vitest|esbuild.*--service/.test(command) && !command.includes(directory);
      return isOurs && !isVitest && command !== '' ? [{ pid: Number(name), command: command.slice(0, 200) }] : [];
    });
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // Ended meanwhile, or somebody else's.
    return '';
  }
}
