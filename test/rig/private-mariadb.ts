import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { canaryPassword, childOptions, freePort, makeEnterableDirectory, type PrivateServer } from './private-server.js';
import { startWatchdog } from './watchdog.js';

/** What the smallest package of Debian's has (`mariadb-server-core`); the scripts that wrap it are in others. */
const systemTables = ['mysql_system_tables.sql', 'mysql_performance_tables.sql', 'mysql_system_tables_data.sql'];

const storage = {
  innodb_flush_method: 'nosync',
  innodb_log_file_size: '32M',
  innodb_buffer_pool_size: '64M',
  // The kernel has few of these contexts for all servers of a machine.
  innodb_use_native_aio: '0',
};

const settings = {
  ...storage,
  bind_address: '127.0.0.1',
  skip_name_resolve: '1',
  max_connections: '200',
  innodb_flush_log_at_trx_commit: '0',
  innodb_doublewrite: '0',
  // As Debian has it and MySQL 8; MariaDB's own is latin1.
  character_set_server: 'utf8mb4',
};

/** The binary of MariaDB's server where there is one. */
export function findMariadbd(): string | null {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin', '/usr/libexec'];
  const found = folders.filter((folder) => path.isAbsolute(folder)).map((folder) => path.join(folder, 'mariadbd'));
  return found.find((file) => existsSync(file)) ?? null;
}

/**
 * Starts a MariaDB of the tests' own on a free port, its data in a new temporary folder, whatever else runs on this machine.
 * `extra`: settings beside the rig's, `{ log_bin: 'binlog' }`; `initial`: those that its files are to be made with as well.
 *
 * Whatever becomes of this process, a watchdog ends the server and removes the folder.
 */
export async function startPrivateMariadb(
  extra: Readonly<Record<string, string>> = {},
  initial: Readonly<Record<string, string>> = {},
): Promise<PrivateServer> {
  const binary = findMariadbd();
  if (binary === null) throw new Error('there is no mariadbd on this machine');
  const directory = await makeEnterableDirectory('mariadb');
  try {
    await initialise(binary, directory, { ...storage, ...initial });
    return await launch(binary, directory, { ...settings, ...initial, ...extra });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** What `mariadb-install-db` does, without the tools it calls: they come with the client. */
async function initialise(binary: string, directory: string, all: Readonly<Record<string, string>>): Promise<void> {
  const share = findShare(binary);
  const tables = await Promise.all(systemTables.map((name) => readFile(path.join(share, name), 'utf8')));
  const account = `'root'@'%'`;
  const users = [
    // `sys` is there, as on every server, and empty: its views take a second to make.
    'CREATE DATABASE sys;',
    `DELETE FROM global_priv WHERE User IN ('', 'root');`,
    'FLUSH PRIVILEGES;',
    `CREATE USER ${account} IDENTIFIED BY '${canaryPassword}';`,
    `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
  ];
  const args = [
    `--datadir=${await makeData(directory)}`,
    `--tmpdir=${directory}`,
    `--lc-messages-dir=${share}`,
    '--bootstrap',
    '--log-warnings=0',
    ...toArgs(all),
  ];
  const child = spawn(binary, ['--no-defaults', ...args], childOptions({ stdio: ['pipe', 'pipe', 'pipe'] }));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  child.stdin?.on('error', () => undefined); // its words tell why it read no further
  child.stdin?.end(['CREATE DATABASE mysql;', 'USE mysql;', ...tables, ...users, ''].join('\n'));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${binary} --bootstrap ended with ${code}:\n${output}`);
}

async function makeData(directory: string): Promise<string> {
  const data = path.join(directory, 'data');
  await mkdir(data);
  const { uid, gid } = childOptions({});
  if (uid !== undefined && gid !== undefined) await chown(data, uid, gid);
  return data;
}

function findShare(binary: string): string {
  const prefix = path.dirname(path.dirname(binary));
  const found = ['share/mysql', 'share/mariadb'].map((name) => path.join(prefix, name));
  const share = found.find((folder) => existsSync(path.join(folder, systemTables[0] ?? '')));
  if (share === undefined) throw new Error(`the system tables of ${binary} are in none of ${found.join(', ')}`);
  return share;
}

async function launch(binary: string, directory: string, all: Readonly<Record<string, string>>): Promise<PrivateServer> {
  const log = path.join(directory, 'server.log');
  const port = await freePort();
  const places = [
    `--datadir=${path.join(directory, 'data')}`,
    `--tmpdir=${directory}`,
    `--socket=${path.join(directory, 'socket')}`,
    `--port=${port}`,
  ];
  const messages = `--lc-messages-dir=${findShare(binary)}`;
  const logFile = openSync(log, 'a');
  const child = spawn(
    binary,
    ['--no-defaults', ...places, messages, ...toArgs(all)],
    childOptions({ detached: true, stdio: ['ignore', logFile, logFile] }),
  );
  closeSync(logFile);
  const ended = new Promise<void>((resolve) => {
    child.on('error', () => resolve());
    child.on('exit', () => resolve());
  });
  const watchdog = child.pid === undefined ? undefined : startWatchdog(directory, child.pid, 'KILL');
  const stop = async (): Promise<void> => {
    // Its data goes with it, so there is nothing that it should still write.
    child.kill('SIGKILL');
    await ended;
    watchdog?.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  };
  const url = `mysql://root:${canaryPassword}@127.0.0.1:${port}/`;
  if (!(await Promise.race([answers(url), ended.then(() => false)]))) {
    const words = readFileSync(log, 'utf8');
    await stop();
    throw new Error(`the private MariaDB did not start:\n${words}`);
  }
  return { url, log, stop };
}

async function answers(url: string): Promise<boolean> {
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      await (await createConnection({ uri: url })).end();
      return true;
    } catch {
      await delay(20);
    }
  }
  return false;
}

function toArgs(given: Readonly<Record<string, string>>): string[] {
  return Object.entries(given).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`);
}
