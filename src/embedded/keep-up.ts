import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../errors.js';
import { type AcquireOptions, findNative, joinServer } from './acquire.js';
import { exists, type FoundServer, findServer, folderDenied, layOut } from './layout.js';
import { type OpenedSession, openSession, serverUrl } from './lock-session.js';
import { now, pause } from './machine.js';
import { findPostmaster, type PostmasterFile, requestStop, waitUntilStopped } from './postmaster.js';

export interface StartedServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the data really is. */
  readonly directory: string;
  readonly wasStarted: boolean;
}

const STOP_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5000;

/** Starts the server where it isn't running, and keeps it up until `stopEmbedded`, whoever comes and goes. */
export async function startEmbedded(options: AcquireOptions): Promise<StartedServer> {
  const joined = await joinServer(options);
  try {
    // While we have a share, nobody can be about to stop it.
    await writeFile(layOut(options.directory).keptUp, '').catch((error: unknown) => {
      throw folderDenied(options.directory, error);
    });
  } finally {
    await joined.session.end();
  }
  const { found, file, wasStarted } = joined;
  return { url: serverUrl(found, file.port), port: file.port, pid: file.pid, directory: found.data, wasStarted };
}

/**
 * Stops the server, and ends its being kept up.
 *
 * @param options.isForced cuts off whoever uses it
 * @throws TENANCY_EMBEDDED_IN_USE when somebody does; TENANCY_EMBEDDED_SILENT, TENANCY_EMBEDDED_STOP_FAILED
 */
export async function stopEmbedded(options: {
  directory: string;
  resolveFrom: string;
  isForced?: boolean;
}): Promise<{ wasRunning: boolean }> {
  const { directory } = options;
  const { keptUp } = layOut(directory);
  const found = await findServer(directory);
  const file = found === undefined ? undefined : await findPostmaster(found.data);
  if (found === undefined || file === undefined) {
    await rm(keptUp, { force: true });
    return { wasRunning: false };
  }
  const opened = options.isForced === true ? undefined : await waitForAnswer(directory, found);
  try {
    if (opened !== undefined && !(await opened.session.tryLeave())) {
      const clients = await opened.session.countOtherClients();
      throw new TenancyError('TENANCY_EMBEDDED_IN_USE', { directory, clients: Math.max(1, clients) });
    }
    await rm(keptUp, { force: true });
    await requestStop({ pid: file.pid, data: found.data, native: await findNative(options) });
  } finally {
    await opened?.session.end();
  }
  if (!(await waitUntilStopped(found.data, file.pid, STOP_TIMEOUT_MS))) {
    throw new TenancyError('TENANCY_EMBEDDED_STOP_FAILED', { directory, pid: file.pid, seconds: STOP_TIMEOUT_MS / 1000 });
  }
  return { wasRunning: true };
}

type AnsweringServer = Extract<OpenedSession, { isOpen: true }> & { readonly file: PostmasterFile };

/**
 * Connects to the server of a folder; one that is just starting or stopping is given a moment.
 *
 * @returns `undefined` when it has stopped
 * @throws TENANCY_EMBEDDED_SILENT
 */
async function waitForAnswer(directory: string, found: FoundServer): Promise<AnsweringServer | undefined> {
  const deadline = now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const file = await findPostmaster(found.data);
    if (file === undefined) return undefined;
    let reason = `it is ${file.state}`;
    if (file.state === 'ready') {
      const opened = await openSession(found, file.port);
      if (opened.isOpen) return { ...opened, file };
      reason = opened.reason;
    }
    if (now() > deadline) throw new TenancyError('TENANCY_EMBEDDED_SILENT', { directory, pid: file.pid, reason });
    await pause(20);
  }
}

export type EmbeddedStatus =
  | { readonly status: 'absent'; readonly directory: string }
  | { readonly status: 'stopped'; readonly directory: string; readonly version: string; readonly isKeptUp: boolean }
  | {
      readonly status: 'running';
      /** Where the data really is. */
      readonly directory: string;
      readonly url: string;
      readonly port: number;
      readonly pid: number;
      readonly version: string;
      readonly isKeptUp: boolean;
      /** Connections other than the one that asks. */
      readonly clients: number;
    };

/** Looks without changing anything: it starts nothing and keeps nothing up. */
export async function readEmbeddedStatus(options: { directory: string }): Promise<EmbeddedStatus> {
  const { directory } = options;
  const found = await findServer(directory);
  if (found === undefined) return { status: 'absent', directory };
  const isKeptUp = await exists(layOut(directory).keptUp);
  const opened = await waitForAnswer(directory, found);
  if (opened === undefined) {
    const version = await readFile(path.join(found.data, 'PG_VERSION'), 'utf8').catch(() => 'unknown');
    return { status: 'stopped', directory: found.data, version: version.trim(), isKeptUp };
  }
  const { file } = opened;
  try {
    const { rows } = await opened.client.query<{ version: string }>(`SELECT current_setting('server_version') AS version`);
    return {
      status: 'running',
      directory: found.data,
      url: serverUrl(found, file.port),
      port: file.port,
      pid: file.pid,
      version: rows[0]?.version ?? 'unknown',
      isKeptUp,
      clients: await opened.session.countOtherClients(),
    };
  } finally {
    await opened.session.end();
  }
}
