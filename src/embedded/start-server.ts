import { readFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../errors.js';
import { type Binaries, findBinaries } from './find-binaries.js';
import { initialise } from './initialise.js';
import { type FoundServer, findServer, folderDenied, layOut } from './layout.js';
import { now, signalProcess } from './machine.js';
import { pickPort } from './pick-port.js';
import {
  findPostmaster,
  launchPostmaster,
  readLogTail,
  removeStalePostmasterFile,
  type ServerSettings,
  waitUntilReady,
} from './postmaster.js';
import { wayOf } from './ways-to-run.js';

interface StartOptions {
  readonly directory: string;
  readonly resolveFrom: string;
  readonly openDirectory?: string;
  readonly deadline: number;
  readonly signal?: AbortSignal;
  readonly onNotice?: (text: string) => void;
}

/** Generous for a development machine; a fleet of small schemas takes many locks in one DROP. */
const SHARED_SETTINGS: ServerSettings = {
  max_connections: 200,
  max_locks_per_transaction: 256,
  // The log is kept for what goes wrong.
  log_checkpoints: 'off',
};

const LARGEST_LOG_BYTES = 8_000_000;

/**
 * Makes the database if there is none, and starts the server. Only the holder of the start lock may call this.
 *
 * @returns false when it turned out to be running, or starting, after all
 */
export async function startServer(options: StartOptions): Promise<boolean> {
  const { directory } = options;
  // Read again now that nobody else can change it.
  let found = await findServer(directory);
  if (found !== undefined && (await findPostmaster(found.data)) !== undefined) return false;
  const binaries = await findBinaries(options);
  if (found === undefined) {
    await initialise({ ...options, binaries });
    found = await findServer(directory);
    if (found === undefined) throw new Error(`no record in ${directory} right after it was written`);
    options.onNotice?.(`the data of embedded:${directory} is in ${found.data}`);
  }
  await requireMajor(directory, found, binaries);
  await removeStalePostmasterFile(found.data);
  return launchUntilReady({ ...options, found, binaries, settings: SHARED_SETTINGS });
}

async function requireMajor(directory: string, found: FoundServer, binaries: Binaries): Promise<void> {
  const text = await readFile(path.join(found.data, 'PG_VERSION'), 'utf8').catch((error: unknown) => {
    throw folderDenied(directory, error);
  });
  const dataMajor = text.trim();
  if (dataMajor !== binaries.major) {
    throw new TenancyError('TENANCY_EMBEDDED_VERSION_MISMATCH', { directory, dataMajor, binariesMajor: binaries.major });
  }
}

/** Empties a log that has grown large; tells where the next start's words will begin. */
async function shortenLog(log: string): Promise<number> {
  const size = await stat(log).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= LARGEST_LOG_BYTES) return size;
  await truncate(log);
  return 0;
}

/**
 * Starts the server and waits for it, on another port where the first is taken meanwhile.
 *
 * @returns false when another server has the folder open: a killed command had started it a moment ago
 * @throws TENANCY_EMBEDDED_START_FAILED with the end of the log, TENANCY_EMBEDDED_DISK_FULL
 */
async function launchUntilReady(options: {
  directory: string;
  found: FoundServer;
  binaries: Binaries;
  settings: ServerSettings;
  deadline: number;
  signal?: AbortSignal;
}): Promise<boolean> {
  const { directory, found, deadline, signal } = options;
  const { log } = layOut(directory);
  const begun = now();
  let preferred: number | undefined = found.record.port;
  for (;;) {
    const logStart = await shortenLog(log);
    const launched = await launchPostmaster({
      way: wayOf(found.record),
      binaries: options.binaries,
      data: found.data,
      port: await pickPort(preferred),
      log,
      settings: { ...options.settings, cluster_name: found.record.id },
    }).catch((error: unknown) => {
      throw folderDenied(directory, error);
    });
    let isGivenUp = true;
    try {
      const outcome = await waitUntilReady({ data: found.data, launched, deadline, signal });
      isGivenUp = !outcome.isReady;
      if (outcome.isReady) return true;
      const lines = await readLogTail(log, logStart);
      if (/lock file "postmaster.pid" already exists/.test(lines)) return false;
      if (/No space left on device/.test(lines)) throw new TenancyError('TENANCY_EMBEDDED_DISK_FULL', { directory });
      if (!/Address already in use|could not bind/.test(lines)) {
        const seconds = Math.max(1, Math.round((now() - begun) / 1000));
        const said = lines === '' ? (outcome.reason ?? '') : lines;
        throw new TenancyError('TENANCY_EMBEDDED_START_FAILED', { directory, seconds, log, lines: said });
      }
      preferred = undefined;
    } finally {
      if (isGivenUp && launched.pid !== undefined && launched.ended.reason === undefined) {
        signalProcess(launched.pid, 'SIGINT');
      }
    }
  }
}
