import { open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Binaries, binaryPath } from './find-binaries.js';
import {
  isProcessPresent,
  type LaunchedProcess,
  launchDetached,
  mayHaveOpen,
  now,
  pause,
  platform,
  runCommand,
  signalProcess,
} from './machine.js';
import { commandFor, placeBinaries, type Way } from './ways-to-run.js';

/** What the server tells about itself in `postmaster.pid` (src/include/utils/pidfile.h). */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number;
  readonly state: 'starting' | 'ready' | 'stopping';
}

/** `undefined` when no server has the folder open, or one has just begun to write the file. */
async function readPostmasterFile(data: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const state = lines[7]?.trim();
  return { pid, port, state: state === 'ready' || state === 'stopping' ? state : 'starting' };
}

export interface ServerSettings {
  readonly [name: string]: string | number;
}

/**
 * Starts the server on a port of the loopback, with no Unix socket, so that no path is too long.
 * It outlives us; its output goes to the log.
 */
export async function launchPostmaster(options: {
  way: Way;
  binaries: Binaries;
  data: string;
  port: number;
  log: string;
  settings: ServerSettings;
}): Promise<LaunchedProcess> {
  const settings: ServerSettings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // A killed command's locks are freed at once, though its statement would run on.
    ...(platform !== 'win32' && { client_connection_check_interval: 500 }),
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const native = await placeBinaries(options.way, options.binaries, options.data);
  const args = ['-D', options.data, '-p', String(options.port), ...flags];
  const command = await commandFor(options.way, { native, name: 'postgres', args });
  const log = await open(options.log, 'a', 0o600);
  try {
    return launchDetached(command, log.fd);
  } finally {
    await log.close();
  }
}

/** Resolves once the server takes connections; tells why when it won't, or `undefined` for the reason at the deadline. */
export async function waitUntilReady(options: {
  data: string;
  launched: LaunchedProcess;
  deadline: number;
  signal?: AbortSignal | undefined;
}): Promise<{ isReady: true; file: PostmasterFile } | { isReady: false; reason: string | undefined }> {
  const { data, launched, deadline, signal } = options;
  while (now() < deadline) {
    const file = await readPostmasterFile(data);
    if (file?.state === 'ready' && file.pid === launched.pid) return { isReady: true, file };
    if (launched.ended.reason !== undefined) return { isReady: false, reason: launched.ended.reason };
    await pause(10, signal);
  }
  return { isReady: false, reason: undefined };
}

/** The server that has the folder open, or `undefined` when what is there was left by a dead one. */
export async function findPostmaster(data: string): Promise<PostmasterFile | undefined> {
  const file = await readPostmasterFile(data);
  return file !== undefined && (await mayHaveOpen(file.pid, data)) ? file : undefined;
}

/** Whether it is that server still, and takes connections: it says that it is stopping before it ends the first of them. */
export async function isStillReady(data: string, pid: number): Promise<boolean> {
  const file = await readPostmasterFile(data);
  return file?.state === 'ready' && file.pid === pid;
}

/**
 * Takes away what a killed server left behind. PostgreSQL does so itself, but takes a zombie, or any process of our own
 * that has got the old number, for the server and then won't start. Only the holder of the start lock may call this.
 */
export async function removeStalePostmasterFile(data: string): Promise<void> {
  const file = await readPostmasterFile(data);
  if (file === undefined || (await mayHaveOpen(file.pid, data))) return;
  await rm(path.join(data, 'postmaster.pid'), { force: true });
}

/** Asks for a fast shutdown: clients are cut off, their transactions rolled back. */
export async function requestStop(options: { pid: number; data: string; native: string | undefined }): Promise<void> {
  if (platform !== 'win32') {
    signalProcess(options.pid, 'SIGINT');
    return;
  }
  // Windows has no signals; pg_ctl speaks to the server's own substitute for them.
  if (options.native === undefined) return;
  const args = ['stop', '-W', '-m', 'fast', '-D', options.data];
  await runCommand({ file: binaryPath(options.native, 'pg_ctl'), args });
}

/**
 * Waits until the server has let go of the folder. Its process may stay about as a zombie where nobody collects it, so
 * its file is what counts. False at the deadline.
 */
export async function waitUntilStopped(data: string, pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = now() + timeoutMs;
  for (;;) {
    const file = await readPostmasterFile(data);
    if (file === undefined || file.pid !== pid || !isProcessPresent(pid)) return true;
    if (now() > deadline) return false;
    await pause(5);
  }
}

/** The end of the server's log, for an error message. */
export async function readLogTail(log: string, from: number): Promise<string> {
  const text = await readFile(log).catch(() => Buffer.alloc(0));
  return text.subarray(from).toString('utf8').trimEnd().split('\n').slice(-8).join('\n');
}
