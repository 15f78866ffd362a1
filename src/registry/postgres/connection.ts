import { randomInt } from 'node:crypto';
import { once, setMaxListeners } from 'node:events';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { TenancyError } from '../../errors.js';
import { untilAborted } from '../../util/abort.js';
import { elapsedMs, monotonicMs } from '../../util/clock.js';
import { withLibpqTls } from '../../util/libpq-tls.js';
import { redactUrl } from '../../util/redact.js';
import type { OpenRegistryOptions } from '../registry.js';
import type { Row } from '../rows.js';
import { isAbsent, isTransient, type RegistryPlace, toRegistryError } from './failures.js';
import { types } from './wire-types.js';

/**
 * The registry's few connections. Every statement is a transaction of its own, unnamed, and needs no session state,
 * so a PgBouncer in transaction mode may stand between.
 */
export interface RegistryConnection {
  readonly place: RegistryPlace;
  /**
   * Sends one statement, and again where it failed in passing, for up to 10 s (a lease lasts 15).
   * After a lost connection nobody knows whether it was carried out, so *every* statement must bear being sent twice,
   * and tell its own work of the first time from another's (`change_id`).
   */
  query<R extends Row>(sql: string, params: readonly unknown[]): Promise<R[]>;
  /** Lends a connection for a transaction; sent once. */
  withClient<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  /** Lets calls under way end, for two seconds at most, and resolves when every socket is closed. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that went silent would hang forever; no statement of ours takes nearly as long. */
const ANSWER_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 2_000;
const RETRY_FOR_MS = 10_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

export function createRegistryConnection(options: OpenRegistryOptions): RegistryConnection {
  const sockets = new Set<Socket>();
  const settings: pg.PoolConfig = {
    connectionString: withLibpqTls(options.url),
    application_name: options.applicationName,
    max: options.maxConnections ?? 2,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    types,
    // Sockets of our own, so that none outlives `close`, not even one that is still connecting.
    stream: () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    },
  };
  const place = locate(options.url);
  const pool = new pg.Pool(settings);
  // An idle connection that the server ended is replaced when the next one is asked for.
  pool.on('error', () => undefined);

  let wasReached = false;
  let closing: Promise<void> | undefined;
  const patience = new AbortController();
  setMaxListeners(0, patience.signal); // one for each call under way
  const calls = new Set<Promise<unknown>>();

  async function closeAll(): Promise<void> {
    const timeout = setTimeout(() => {
      patience.abort(new Error('Connection terminated by closing the registry'));
      destroyAll(sockets);
    }, CLOSE_TIMEOUT_MS);
    // Only then the pool: it forgets those who wait for a connection of one that is ending.
    await Promise.allSettled(calls);
    await pool.end();
    await Promise.allSettled([...sockets].map((socket) => once(socket, 'close')));
    clearTimeout(timeout);
  }

  function track<T>(call: () => Promise<T>): Promise<T> {
    if (closing !== undefined) return Promise.reject(new Error('the registry is closed'));
    const promise = call().finally(() => calls.delete(promise));
    calls.add(promise);
    return promise;
  }

  async function send<R extends Row>(sql: string, params: readonly unknown[]): Promise<R[]> {
    const startMs = monotonicMs();
    for (let attempt = 1; ; attempt++) {
      try {
        const { rows } = await untilAborted(pool.query<R>(sql, [...params]), patience.signal);
        wasReached = true;
        return rows;
      } catch (error) {
        const isHopeless = !isTransient(error) || (isAbsent(error) && !wasReached) || closing !== undefined;
        if (isHopeless || elapsedMs(startMs) > RETRY_FOR_MS) throw toRegistryError(error, place);
        await delay(backOffMs(attempt));
      }
    }
  }

  async function lend<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    try {
      const client = await untilAborted(pool.connect(), patience.signal);
      const result = await use(client).catch((error: unknown) => {
        client.release(true);
        throw error;
      });
      client.release();
      return result;
    } catch (error) {
      throw toRegistryError(error, place);
    }
  }

  return {
    place,
    query: (sql, params) => track(() => send(sql, params)),
    withClient: (use) => track(() => lend(use)),
    close: () => (closing ??= closeAll()),
  };
}

function destroyAll(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

/** Full jitter: processes that failed together don't come back together. */
function backOffMs(attempt: number): number {
  return randomInt(FIRST_DELAY_MS / 2, Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt));
}

/** As pg itself reads the URL, its defaults and PG* variables included. Without a cause: pg's error carries the whole URL. */
function locate(url: string): RegistryPlace {
  let client: pg.Client;
  try {
    client = new pg.Client({ connectionString: withLibpqTls(url) });
  } catch {
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason: 'it is not a well-formed URL' });
  }
  const user = client.user ?? '';
  const database = client.database ?? user;
  return { where: `${client.host}:${client.port}/${database}`, database, user };
}
