import { once } from 'node:events';
import { Socket } from 'node:net';
import pg from 'pg';
import { TenancyError } from '../../errors.js';
import { withLibpqTls } from '../../util/libpq-tls.js';
import { redactUrl } from '../../util/redact.js';
import { Calls } from '../calls.js';
import { toJson } from '../keepable.js';
import type { RegistryPlace } from '../place.js';
import type { OpenRegistryOptions } from '../registry.js';
import type { Row } from '../rows.js';
import { isAbsent, isTransient, toRegistryError } from './failures.js';
import { createStatementNames } from './prepared.js';
import { types } from './wire-types.js';

/**
 * The registry's few connections. Every statement is a transaction of its own and needs no session state, and has a name only where no pooler
 * shares sessions out: a PgBouncer in transaction mode may stand between.
 */
export interface RegistryConnection {
  readonly place: RegistryPlace;
  /** Who acts, as JSON: a parameter of every statement that writes an event. */
  readonly actor: string | null;
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
      // Once the client, which hears of it after us, has sent its greeting.
      if (options.onAsked && sockets.size === 1) socket.once('connect', () => setImmediate(options.onAsked as () => void));
      return socket.once('close', () => sockets.delete(socket));
    },
  };
  const place = locate(options.url);
  const pool = new pg.Pool(settings);
  // An idle connection that the server ended is replaced when the next one is asked for.
  pool.on('error', ignore);
  // Who waits for an answer is told that the connection is gone; the event besides would end the process. From the first moment on: a server that is told
  // to end the session says so right behind its greeting, before whoever asked for the connection has it.
  pool.on('connect', (client) => void client.on('error', ignore));

  const calls = new Calls({
    where: place.where,
    isTransient,
    isAbsent,
    toRegistryError: (error) => toRegistryError(error, place),
    // Only once no call is under way: the pool forgets those who wait for a connection of one that is ending.
    end: async () => {
      await pool.end();
      await Promise.all([...sockets].map(closeWhenSaid));
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  });

  async function lend<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    try {
      const result = await use(client);
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  const names = createStatementNames();
  const send = <R extends Row>(text: string, params: readonly unknown[]): Promise<R[]> =>
    lend(async (client) => {
      const name = await names.nameFor(client, text);
      return (await client.query<R>({ text, values: [...params], ...(name && { name }) })).rows;
    });

  let actor: string | undefined;
  return {
    place,
    get actor() {
      actor ??= options.actor && toJson(options.actor);
      return actor ?? null;
    },
    query: (sql, params) =>
      calls.repeat(async () => {
        try {
          return await send(sql, params);
        } catch (error) {
          if (!names.giveUp(error)) throw error;
          return send(sql, params);
        }
      }),
    withClient: (use) => calls.once(() => lend(use)),
    close: () => calls.close(),
  };
}

const ignore = (): void => undefined;

/** Once the goodbye is on its way there is nothing to wait for: the server takes some milliseconds to say its own, which every command would pay for. */
function closeWhenSaid(socket: Socket): Promise<unknown> {
  const closed = once(socket, 'close');
  const close = (): void => void socket.destroy();
  if (socket.writableFinished) close();
  else socket.once('finish', close);
  return closed.catch(() => undefined);
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
