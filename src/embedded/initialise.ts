import { chmod, chown, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../errors.js';
import type { Binaries } from './find-binaries.js';
import { exists, folderDenied, layOut, layOutServer, type ServerRecord } from './layout.js';
import { currentAccount, randomToken, runCommand, temporaryDirectory } from './machine.js';
import { pickPort } from './pick-port.js';
import { commandFor, listWays, placeBinaries, type Way } from './ways-to-run.js';

interface InitialiseOptions {
  readonly directory: string;
  readonly binaries: Binaries;
  readonly openDirectory?: string;
  readonly signal?: AbortSignal;
  /** Faster, and not safe from a power cut: for throw-away servers. */
  readonly isUnsynced?: boolean;
}

/**
 * Makes a new database in `DIR/server`: everything in a staging folder first, then one rename. A crash leaves only a
 * staging folder, which the next command sweeps away. Only the holder of the start lock may call this.
 *
 * @throws TENANCY_EMBEDDED_INIT_FAILED with the end of what initdb said, in the first way that was tried
 */
export async function initialise(options: InitialiseOptions): Promise<void> {
  const { directory } = options;
  await sweepStaging(directory);
  const failures: string[] = [];
  for (const way of await listWays()) {
    options.signal?.throwIfAborted();
    const staging = path.join(directory, `making-${randomToken(6)}`);
    const outcome = await initialiseIn(way, staging, options);
    if (outcome.isSuccess) {
      await rename(staging, layOut(directory).server);
      return;
    }
    await rm(staging, { recursive: true, force: true, maxRetries: 3 });
    failures.push(outcome.output);
    if (/No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/.test(outcome.output)) {
      throw new TenancyError('TENANCY_EMBEDDED_DISK_FULL', { directory });
    }
  }
  options.signal?.throwIfAborted();
  const ends = failures.map((text) => text.trimEnd().split('\n').slice(-6).join('\n'));
  const output = [...new Set(ends)].join('\n');
  throw new TenancyError('TENANCY_EMBEDDED_INIT_FAILED', { directory, output });
}

async function initialiseIn(way: Way, staging: string, options: InitialiseOptions): Promise<{ isSuccess: boolean; output: string }> {
  const files = layOutServer(staging);
  await mkdir(staging, { mode: 0o700 }).catch((error: unknown) => {
    throw folderDenied(options.directory, error);
  });
  let elsewhere: string | undefined;
  try {
    if (way.name === 'copy') elsewhere = await makeOpenPlace(options);
    const data = elsewhere === undefined ? files.data : path.join(elsewhere, 'data');
    const password = randomToken(24);
    await writeFile(files.password, `${password}\n`, { mode: 0o600 });
    const outcome = await runInitdb(way, { ...options, data, password });
    if (!outcome.isSuccess) {
      if (elsewhere !== undefined) await rm(elsewhere, { recursive: true, force: true });
      return outcome;
    }
    const record: ServerRecord = {
      id: `tenancy-${randomToken(8)}`,
      way: way.name,
      ...(way.account !== undefined && { account: way.account }),
      port: await pickPort(),
      ...(elsewhere !== undefined && { dataElsewhere: data }),
    };
    await writeFile(files.record, `${JSON.stringify(record, undefined, 2)}\n`);
    return outcome;
  } catch (error) {
    if (elsewhere !== undefined) await rm(elsewhere, { recursive: true, force: true });
    // A way that a container forbids (chown, for one) is no reason not to try the next.
    if (error instanceof Error && 'syscall' in error) return { isSuccess: false, output: error.message };
    throw error;
  }
}

async function runInitdb(
  way: Way,
  options: InitialiseOptions & { data: string; password: string },
): Promise<{ isSuccess: boolean; output: string }> {
  const { data, password, binaries } = options;
  const passwordFile = `${data}.password`;
  await mkdir(data, { mode: 0o700 });
  // In a file, since arguments show in the list of processes; readable by whoever runs initdb.
  await writeFile(passwordFile, password, { mode: 0o600 });
  const owner = way.account;
  if (owner !== undefined && currentAccount()?.uid === 0) {
    await chown(data, owner.uid, owner.gid);
    await chown(passwordFile, owner.uid, owner.gid);
  }
  const args = ['-D', data, '--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  args.push('--encoding=UTF8', '--locale=C', '--no-instructions', ...(options.isUnsynced === true ? ['--no-sync'] : []));
  const native = await placeBinaries(way, binaries, data);
  const outcome = await runCommand(await commandFor(way, { native, name: 'initdb', args }), options.signal);
  await rm(passwordFile, { force: true });
  return outcome;
}

/** A folder that anyone may enter, for a database that could not stay in the project; it lasts where we can help it. */
async function makeOpenPlace(options: InitialiseOptions): Promise<string> {
  const lasting = options.openDirectory ?? '/var/lib/tenancy-embedded';
  const parent = await mkdir(lasting, { recursive: true, mode: 0o755 }).then(
    () => lasting,
    () => temporaryDirectory,
  );
  const place = await mkdtemp(path.join(parent, 'tenancy-embedded-'));
  await chmod(place, 0o711);
  await writeFile(path.join(place, 'belongs-to'), `${options.directory}\n`);
  return place;
}

async function sweepStaging(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith('making-')) continue;
    // A killed command's initdb may still be writing into it; what then remains is swept away next time.
    await rm(path.join(directory, name), { recursive: true, force: true }).catch(() => undefined);
  }
  if (await exists(path.join(directory, 'server'))) {
    throw new TenancyError('TENANCY_EMBEDDED_FOLDER_DENIED', {
      directory,
      reason: 'it holds a server folder without a record.json',
    });
  }
}
