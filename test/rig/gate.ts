import { once } from 'node:events';
import net from 'node:net';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';

/**
 * Something that a migration or a hook blocks on until the test lets it go on, so that a test of concurrency knows
 * what is running instead of hoping that a pause was long enough.
 */
export interface Gate {
  /** Resolves once `count` are blocked at the same time. */
  waiting(count?: number): Promise<void>;
  /** Lets through all that wait, and whoever comes later. */
  open(): Promise<void>;
}

export interface SqlGate extends Gate {
  /** The statement that blocks, ending in a semicolon. Advisory locks are a database's own: it works in that database alone. */
  readonly sql: string;
}

/** A gate for SQL migrations of tenants that are schemas of that database. Open it before the test ends: it holds a connection. */
export async function createSqlGate(databaseUrl: string, key = 790_000 + (process.pid % 10_000)): Promise<SqlGate> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'gate' });
  await client.connect();
  await client.query('SELECT pg_advisory_lock($1)', [key]);
  return {
    // Shared, so that those who wait don't let each other through one at a time.
    sql: `SELECT pg_advisory_xact_lock_shared(${key});`,
    async waiting(count = 1) {
      const blocked = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      await until(async () => ((await client.query(blocked, [key])).rowCount ?? 0) >= count, `${count} to wait at the gate`);
    },
    async open() {
      await client.end();
    },
  };
}

export interface ProcessGate extends Gate {
  /** An expression that a JavaScript hook or migration awaits: `await ${gate.expression('acme')}`. */
  expression(name: string): string;
  /** The same as a command, for `ctx.exec`. */
  command(name: string): readonly [file: string, ...args: string[]];
  /** How many wait now. */
  readonly blockedCount: number;
  /** The most that ever waited at the same time. */
  readonly peak: number;
  /** Whoever came so far, in that order. */
  readonly arrivals: readonly string[];
  /** Lets through the one who has waited longest, but for this one. */
  openForOne(options?: { readonly except: string }): void;
}

/** A gate for hooks, JavaScript migrations and child processes, wherever the tenant lives. */
export async function createProcessGate(): Promise<ProcessGate> {
  const blocked: { readonly name: string; readonly socket: net.Socket }[] = [];
  const arrivals: string[] = [];
  let isOpen = false;
  let peak = 0;
  const server = net.createServer((socket) => {
    // A process that is killed while it waits resets the connection.
    socket.setEncoding('utf8').on('error', () => socket.destroy());
    const leave = (): unknown => blocked.splice(blocked.findIndex((one) => one.socket === socket) >>> 0, 1);
    socket.on('close', leave);
    socket.once('data', (data) => {
      const name = String(data);
      arrivals.push(name);
      if (isOpen) socket.end();
      else peak = Math.max(peak, blocked.push({ name, socket }));
    });
  });
  server.listen(0, '127.0.0.1');
  server.unref();
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const expression = (name: string): string =>
    `import('node:net').then(({ connect }) => new Promise((resolve, reject) => {` +
    ` connect(${port}, '127.0.0.1').on('error', reject).on('close', resolve).resume().write(${JSON.stringify(name)}) }))`;
  return {
    get peak() {
      return peak;
    },
    get blockedCount() {
      return blocked.length;
    },
    arrivals,
    expression,
    command: (name) => [process.execPath, '-e', expression(name)],
    waiting: (count = 1) => until(async () => blocked.length >= count, `${count} to wait at the gate`),
    openForOne: ({ except } = { except: '' }) => {
      const at = blocked.findIndex(({ name }) => name !== except);
      if (at >= 0) for (const { socket } of blocked.splice(at, 1)) socket.end();
    },
    async open() {
      isOpen = true;
      for (const { socket } of blocked.splice(0)) socket.end();
    },
  };
}

/** Waits for something that only polling can tell; after the time is up it fails, naming it. */
export async function until(isSo: () => Promise<boolean> | boolean, what: string, timeoutMs = 20_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await delay(10);
  }
}
