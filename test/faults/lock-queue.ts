import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { Client } from 'pg';
import type { Sandbox } from '../rig/sandbox.js';

/** A session of the application, on the home of the tenant `acme`. */
export interface AppSession {
  send(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

export async function openAppSession(sandbox: Sandbox): Promise<AppSession> {
  const url = sandbox.homeUrl('acme');
  if (sandbox.driver === 'mysql-database') {
    const connection = await mysql.createConnection({ uri: url });
    return { send: (sql) => connection.query(sql), close: () => connection.end() };
  }
  const client = new Client({ connectionString: url, application_name: 'app' });
  await client.connect();
  if (sandbox.driver === 'postgres-schema') await client.query(`SET search_path TO ${sandbox.prefix}acme`);
  return { send: (sql) => client.query(sql), close: () => client.end() };
}

export interface Reads {
  readonly count: number;
  readonly slowestMs: number;
  /** Of as many that read at the same moments what nobody locks: how long this machine lets a read wait by itself. */
  readonly freeMs: number;
  /** How many took longer than half a lock timeout: those that stood in the queue behind a migration. */
  readonly queued: number;
}

const READERS = 5;
const EVERY_MS = 10;

interface Queries {
  /** What is held up. */
  readonly sql: string;
  /** On a table that nobody locks. */
  readonly free: string;
}

/** One read of each kind begins every 10 ms, as long as `what` takes, however long those before it take. */
export async function readMeanwhile<T>(
  sandbox: Sandbox,
  { sql, free }: Queries,
  queuedMs: number,
  what: () => Promise<T>,
): Promise<[T, Reads]> {
  const sessions = await Promise.all(Array.from({ length: 2 * READERS }, () => openAppSession(sandbox)));
  let isOver = false;
  const took: number[] = [];
  const tookFree: number[] = [];
  const read = async (session: AppSession, index: number): Promise<void> => {
    const isFree = index >= READERS;
    await delay((index % READERS) * EVERY_MS);
    while (!isOver) {
      const startedMs = performance.now();
      await session.send(isFree ? free : sql);
      (isFree ? tookFree : took).push(performance.now() - startedMs);
      await delay(EVERY_MS * READERS);
    }
  };
  const readers = Promise.all(sessions.map(read));
  try {
    const result = await what();
    isOver = true;
    await readers;
    const queued = took.filter((ms) => ms > queuedMs).length;
    return [result, { count: took.length, slowestMs: Math.max(0, ...took), freeMs: Math.max(0, ...tookFree), queued }];
  } finally {
    isOver = true;
    await readers.catch(() => undefined);
    await Promise.all(sessions.map((session) => session.close()));
  }
}
