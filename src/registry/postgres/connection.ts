import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { TenancyError } from '../../errors.js';
import { redactUrl } from '../../util/redact.js';
import type { OpenRegistryOptions } from '../registry.js';
import { isAbsent, isTransient, type RegistryPlace, toRegistryError } from './failures.js';
import { types } from './wire-types.js';

/** Whatever a statement answers; each caller names the columns it asked for. */
export type Row = Record<string, unknown>;

/**
 * The registry's few connections. Every statement is a transaction of its own, unnamed, and needs no session state,
 * so a PgBouncer in transaction mode may stand between.
 */
export interface RegistryConnection {
  readonly place: RegistryPlace;
  /**
   * Sends one statement, and again where it failed in passing: up to five times over about 3 s.
   * After a lost connection nobody knows whether it was carried out, so *every* statement must bear being sent twice,
   * and tell its own work of the first time from another's (`change_id`).
   */
  query<R extends Row>(sql: string, params: readonly unknown[]): Promise<R[]>;
  /** Lends a connection for a transaction; sent once. */
  withClient<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  /** Resolves when the sockets are closed; a server that doesn't answer is given two seconds. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that went silent would hang forever; no statement of ours takes nearly as long. */
const ANSWER_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 2_000;
const ATTEMPTS = 5;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

export function createRegistryConnection(options: OpenRegistryOptions): RegistryConnection {
  const settings: pg.PoolConfig = {
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.maxConnections ?? 2,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
    types,
  };
  const place = locate(settings, options.url);
  const pool = new pg.Pool(settings);
  const open = new Map<pg.PoolClient, Promise<unknown>>();
  pool.on('connect', (client) => {
    const ended = once(client, 'end').finally(() => open.delete(client));
    // `once` rejects with the client's error; the pool tells whoever waits for that client.
    ended.catch(() => undefined);
    open.set(client, ended);
  });
  // An idle connection that the server ended is replaced when the next one is asked for.
  pool.on('error', () => undefined);

  let closing: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    const ended = pool.end();
    const goodbye = new AbortController();
    const all = Promise.allSettled([ended, ...open.values()]);
    await Promise.race([all, delay(CLOSE_TIMEOUT_MS, undefined, { signal: goodbye.signal }).catch(() => undefined)]);
    goodbye.abort();
    for (const client of open.keys()) client.connection.stream.destroy();
  }

  return {
    place,
    query: async <R extends Row>(sql: string, params: readonly unknown[]) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return (await pool.query<R>(sql, [...params])).rows;
        } catch (error) {
          const isHopeless = !isTransient(error) || isAbsent(error) || closing !== undefined;
          if (isHopeless || attempt === ATTEMPTS) throw toRegistryError(error, place);
          await delay(backOffMs(attempt));
        }
      }
    },
    withClient: async (use) => {
      const client = await pool.connect().catch((error: unknown) => {
        throw toRegistryError(error, place);
      });
      try {
        const result = await use(client);
        client.release();
        return result;
      } catch (error) {
        client.release(true);
        throw toRegistryError(error, place);
      }
    },
    close: () => (closing ??= closeAll()),
  };
}

/** Full jitter: processes that failed together don't come back together. */
function backOffMs(attempt: number): number {
  return randomInt(FIRST_DELAY_MS / 2, Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt));
}

/** As pg itself reads the URL, its defaults and PG* variables included. Without a cause: pg's error carries the whole URL. */
function locate(settings: pg.PoolConfig, url: string): RegistryPlace {
  let client: pg.Client;
  try {
    client = new pg.Client(settings);
  } catch {
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason: 'it is not a well-formed URL' });
  }
  const user = client.user ?? '';
  const database = client.database ?? user;
  return { where: `${client.host}:${client.port}/${database}`, database, user };
}
