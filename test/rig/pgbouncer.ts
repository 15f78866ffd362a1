import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { escapeIdentifier } from 'pg';
import { query, withDatabase } from './postgres.js';
import { childOptions, freePort, makeEnterableDirectory } from './private-server.js';
import { startWatchdog } from './watchdog.js';

/** So few sessions of each database that clients really share them. */
export const POOL_SIZE = 3;

export interface Pgbouncer {
  /** The target's URL, through the pooler. */
  readonly url: string;
  /** Closes the sessions that it keeps in reserve for a database and those named after it: nobody's, and in the way of whoever counts them. */
  closeSessions(database: string): Promise<void>;
  stop(): Promise<void>;
}

/** The binary of PgBouncer where there is one. */
export function findPgbouncer(): string | null {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'];
  const found = folders.filter((folder) => path.isAbsolute(folder)).map((folder) => path.join(folder, 'pgbouncer'));
  return found.find((file) => existsSync(file)) ?? null;
}

/**
 * Starts a PgBouncer of the tests' own in transaction mode in front of a server: after each transaction its session is given to
 * whoever asks next. Whatever becomes of this process, a watchdog ends it.
 */
export async function startPgbouncer(targetUrl: string): Promise<Pgbouncer> {
  const binary = findPgbouncer();
  if (binary === null) throw new Error('there is no pgbouncer on this machine');
  const directory = await makeEnterableDirectory('pgbouncer');
  const target = new URL(targetUrl);
  const port = await freePort();
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'trust',
    auth_file: path.join(directory, 'users.txt'),
    admin_users: target.username,
    pool_mode: 'transaction',
    default_pool_size: POOL_SIZE,
    // The next transaction of a client comes to another session, where there is one: what one leaves behind is met.
    server_round_robin: 1,
    max_client_conn: 500,
    server_login_retry: 1,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const databases = `* = host=${target.hostname} port=${target.port || 5432}`;
  await writeFile(path.join(directory, 'users.txt'), `"${target.username}" ""\n`);
  await writeFile(path.join(directory, 'pgbouncer.ini'), `[databases]\n${databases}\n\n[pgbouncer]\n${lines.join('\n')}\n`);

  const log = path.join(directory, 'pgbouncer.log');
  const logFile = openSync(log, 'a');
  // As another user than root, which it refuses to be.
  const child = spawn(
    binary,
    [path.join(directory, 'pgbouncer.ini')],
    childOptions({ detached: true, stdio: ['ignore', logFile, logFile] }),
  );
  closeSync(logFile);
  const ended = new Promise<void>((resolve) => {
    child.on('error', () => resolve());
    child.on('exit', () => resolve());
  });
  const watchdog = child.pid === undefined ? undefined : startWatchdog(directory, child.pid, 'KILL');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    watchdog?.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  };
  const url = new URL(targetUrl);
  url.host = `127.0.0.1:${port}`;
  if (!(await Promise.race([answers(url.href), ended.then(() => false)]))) {
    const words = readFileSync(log, 'utf8');
    await stop();
    throw new Error(`the private PgBouncer did not start:\n${words}`);
  }
  return {
    url: url.href,
    closeSessions: async (database) => {
      const admin = withDatabase(url.href, 'pgbouncer');
      // Of one by one: a session of anybody else's that is just logging in would be taken for a server that refuses logins.
      for (const { name } of await query<{ name: string }>(admin, 'SHOW DATABASES')) {
        if (name === database || name.startsWith(`${database}_`)) await query(admin, `RECONNECT ${escapeIdentifier(name)}`);
      }
    },
    stop,
  };
}

async function answers(url: string): Promise<boolean> {
  for (let attempt = 0; attempt < 300; attempt++) {
    try {
      await query(url, 'SELECT 1');
      return true;
    } catch {
      await delay(20);
    }
  }
  return false;
}
