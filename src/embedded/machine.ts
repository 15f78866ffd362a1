/**
 * The one place of the embedded server that touches this machine: users, processes, the clock, chance.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export const platform: NodeJS.Platform = process.platform;
export const architecture: string = process.arch;
export const temporaryDirectory: string = os.tmpdir();

/** Who runs this process; undefined on Windows, which has no such numbers. */
export function currentAccount(): Account | undefined {
  const uid = process.getuid?.();
  const gid = process.getgid?.();
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/**
 * The account that stands in for root. It must have an entry in the passwd file: initdb looks its own name up.
 */
export async function unprivilegedAccount(): Promise<Account> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const name of ['nobody', 'postgres']) {
    const entry = passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');
    const [uid, gid] = [Number(entry?.[2]), Number(entry?.[3])];
    if (entry !== undefined && Number.isInteger(uid) && uid !== 0) return { uid, gid };
  }
  return { uid: 65534, gid: 65534 };
}

export function now(): number {
  return Date.now();
}

export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}

export function randomToken(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

/** Our environment without what PostgreSQL, Node or tenancy would read from it. */
function childEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|NODE_|TENANCY_|LC_|LANG)/.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Whom the child becomes; our own account without it. */
  readonly account?: Account;
}

function spawnCommand(command: Command, options: SpawnOptions): ChildProcess {
  return spawn(command.file, [...command.args], {
    // The working directory may be one that the child's user can't enter.
    cwd: path.parse(process.execPath).root,
    env: childEnvironment(),
    windowsHide: true,
    ...command.account,
    ...options,
  });
}

export interface CommandResult {
  readonly isSuccess: boolean;
  /** Both streams, in the order they came. */
  readonly output: string;
}

/** Runs a command to its end. Never rejects for what the command does: a program that can't be run is a failure too. */
export function runCommand(command: Command, signal?: AbortSignal): Promise<CommandResult> {
  return new Promise((resolve) => {
    let output = '';
    // In a session of its own: a Ctrl-C is for us to act upon, through the signal.
    const options: SpawnOptions = { detached: platform !== 'win32', stdio: ['ignore', 'pipe', 'pipe'] };
    const child = spawnCommand(command, { ...options, ...(signal && { signal }) });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', (error) => {
      output += `${error.message}\n`;
      // One that did start is waited for: it may still be writing.
      if (child.pid === undefined) resolve({ isSuccess: false, output });
    });
    child.on('close', (code) => resolve({ isSuccess: code === 0, output }));
  });
}

export interface LaunchedProcess {
  readonly pid: number | undefined;
  /** Set once it has ended, or could not be run. */
  readonly ended: { reason: string | undefined };
}

/** Starts a command that outlives us, in a session of its own, so that no Ctrl-C reaches it. */
export function launchDetached(command: Command, logDescriptor: number): LaunchedProcess {
  const ended: { reason: string | undefined } = { reason: undefined };
  const child = spawnCommand(command, { detached: true, stdio: ['ignore', logDescriptor, logDescriptor] });
  child.on('error', (error) => {
    ended.reason = error.message;
  });
  child.on('exit', (code, signalName) => {
    ended.reason ??= signalName === null ? `it ended with code ${code}` : `it was ended by ${signalName}`;
  });
  child.unref();
  return { pid: child.pid, ended };
}

/** Sends a signal; false when there is no such process any more. */
export function signalProcess(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** True when some process has this number, a zombie or another user's included. */
export function isProcessPresent(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What Linux tells about a process: `undefined` when there is none, or on a system without /proc. */
function readProcStat(pid: number): { state: string; startTicks: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in brackets that may itself hold brackets and blanks: count from the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** Names one process among all that ever had its number, as far as the system lets us. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot on Linux, `0` elsewhere. */
  readonly startTicks: string;
  /** Differs after a reboot and in another container's process table; `0` outside Linux. */
  readonly table: string;
}

function readProcessTable(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    return `${boot}${readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')}`;
  } catch {
    return '0';
  }
}

export function currentProcess(): ProcessIdentity {
  return { pid: process.pid, startTicks: readProcStat(process.pid)?.startTicks ?? '0', table: readProcessTable() };
}

/** False only where that very process has certainly ended. */
export function isProcessAlive(identity: ProcessIdentity): boolean {
  if (identity.table !== readProcessTable()) return false;
  if (!isProcessPresent(identity.pid)) return false;
  const stat = readProcStat(identity.pid);
  if (stat === undefined) return isProcessPresent(identity.pid);
  return stat.state !== 'Z' && stat.state !== 'X' && stat.startTicks === identity.startTicks;
}

/** True when the process of this number may be the server that has `data` open; only certainty makes it false. */
export async function mayHaveOpen(pid: number, data: string): Promise<boolean> {
  if (!isProcessPresent(pid)) return false;
  if (platform === 'win32') return true;
  if (platform === 'linux') {
    if (readProcStat(pid)?.state === 'Z') return false;
    // The server's working directory is its data folder, also after the project was moved. Not everyone may ask.
    const [its, ours] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(data)]).catch(() => []);
    if (its !== undefined && ours !== undefined) return its.ino === ours.ino && its.dev === ours.dev;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
    return command === undefined || /(^|\/)postgres$/.test(command.split('\0')[0] ?? '');
  }
  const listed = await runCommand({ file: 'ps', args: ['-o', 'stat=,command=', '-p', String(pid)] });
  return !listed.isSuccess || (listed.output.includes('postgres') && !listed.output.trimStart().startsWith('Z'));
}

/** Asks the system whether a port of 127.0.0.1 is free: `wanted`, or with 0 any. */
export function tryPort(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: '127.0.0.1', port: wanted, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      server.close(() => resolve(port));
    });
  });
}
