import { randomInt } from 'node:crypto';
import { once, setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { TenancyError } from '../../errors.js';
import { untilAborted } from '../../util/abort.js';
import { elapsedMs, monotonicMs } from '../../util/clock.js';
import { explainMysqlUrl, type MysqlAddress, type MysqlConnectOptions, mysqlConnectOptions, parseMysqlUrl } from '../../util/mysql-url.js';
import { redactUrl } from '../../util/redact.js';
import type { OpenRegistryOptions } from '../registry.js';
import type { Row } from '../rows.js';
import { isAbsent, isTransient, type RegistryPlace, toRegistryError } from './failures.js';
import { type MysqlSession, openSession, type Statement } from './session.js';

/** The registry's few connections. */
export interface RegistryConnection {
  readonly place: RegistryPlace;
  /** False: the URL names no database, and `tenancy` is meant. */
  readonly isDatabaseNamed: boolean;
  /** A statement that only reads. */
  read<R extends Row>(sql: string, params?: Statement['params']): Promise<R[]>;
  /**
   * Sends statements as one transaction in one message, and again where that failed in passing, for up to 10 s (a lease lasts 15).
   * The answer has the rows of each. After a lost connection nobody knows whether it was carried out, so *every* transaction must
   * bear being sent twice, and tell its own work of the first time from another's (`change_id`).
   */
  transact(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]>;
  /** Lends a connection for statements one after the other; sent once. `database`: null for one that needs none to be there. */
  withSession<T>(use: (session: MysqlSession) => Promise<T>, database?: null): Promise<T>;
  /** Lets calls under way end, for two seconds at most, and resolves when every socket is closed. */
  close(): Promise<void>;
}

const DEFAULT_DATABASE = 'tenancy';
const CLOSE_TIMEOUT_MS = 2_000;
const RETRY_FOR_MS = 10_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;
const BEGIN: Statement = { sql: 'START TRANSACTION' };
const COMMIT: Statement = { sql: 'COMMIT' };

export function createRegistryConnection(options: OpenRegistryOptions): RegistryConnection {
  const given = parseAddress(options.url);
  const database = given.database ?? DEFAULT_DATABASE;
  const server = readServer({ ...given, database: null }, options.url);
  const place = { where: `${describeHost(given)}/${database}`, database, user: given.user };

  const sockets = new Set<Socket>();
  const onSocket = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const takeTurn = pLimit(options.maxConnections ?? 2);
  const idle: MysqlSession[] = [];
  let wasReached = false;
  let closing: Promise<void> | undefined;
  const patience = new AbortController();
  setMaxListeners(0, patience.signal); // one for each call under way
  const calls = new Set<Promise<unknown>>();

  async function closeAll(): Promise<void> {
    const timeout = setTimeout(() => {
      patience.abort(new Error('Connection terminated by closing the registry'));
      for (const socket of sockets) socket.destroy();
    }, CLOSE_TIMEOUT_MS);
    await Promise.allSettled(calls);
    for (const session of idle.splice(0)) session.destroy();
    await Promise.allSettled([...sockets].map((socket) => once(socket, 'close')));
    clearTimeout(timeout);
  }

  function track<T>(call: () => Promise<T>): Promise<T> {
    if (closing !== undefined) return Promise.reject(new Error('the registry is closed'));
    const promise = call().finally(() => calls.delete(promise));
    calls.add(promise);
    return promise;
  }

  function openOne(to: { readonly database?: string }): Promise<MysqlSession> {
    const isTlsOptional = given.sslMode === 'PREFERRED';
    return openSession({ server: { ...server, ...to }, isTlsOptional, applicationName: options.applicationName, onSocket });
  }

  function lend<T>(use: (session: MysqlSession) => Promise<T>): Promise<T> {
    return takeTurn(async () => {
      patience.signal.throwIfAborted();
      const session = takeIdle(idle) ?? (await openOne({ database }));
      try {
        const result = await use(session);
        wasReached = true;
        return result;
      } finally {
        if (session.isUsable) idle.push(session);
        else session.destroy();
      }
    });
  }

  async function lendWithoutDatabase<T>(use: (session: MysqlSession) => Promise<T>): Promise<T> {
    const session = await takeTurn(() => openOne({}));
    return use(session).finally(() => session.destroy());
  }

  async function send(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]> {
    const startMs = monotonicMs();
    for (let attempt = 1; ; attempt++) {
      try {
        return await untilAborted(
          lend((session) => session.send(statements)),
          patience.signal,
        );
      } catch (error) {
        const isHopeless = !isTransient(error) || (isAbsent(error) && !wasReached) || closing !== undefined;
        if (isHopeless || elapsedMs(startMs) > RETRY_FOR_MS) throw toRegistryError(error, place);
        await delay(backOffMs(attempt));
      }
    }
  }

  async function sendOnce<T>(call: Promise<T>): Promise<T> {
    try {
      return await untilAborted(call, patience.signal);
    } catch (error) {
      throw toRegistryError(error, place);
    }
  }

  return {
    place,
    isDatabaseNamed: given.database !== null,
    read: async <R extends Row>(sql: string, params: Statement['params'] = []) => {
      const [rows = []] = await track(() => send([{ sql, params }]));
      return rows as R[];
    },
    transact: async (statements) => (await track(() => send([BEGIN, ...statements, COMMIT]))).slice(1, -1),
    withSession: (use, to) => track(() => sendOnce(to === null ? lendWithoutDatabase(use) : lend(use))),
    close: () => (closing ??= closeAll()),
  };
}

function takeIdle(idle: MysqlSession[]): MysqlSession | undefined {
  for (let session = idle.pop(); session !== undefined; session = idle.pop()) {
    if (session.isUsable) return session;
  }
  return undefined;
}

/** Full jitter: processes that failed together don't come back together. */
function backOffMs(attempt: number): number {
  return randomInt(FIRST_DELAY_MS / 2, Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt));
}

function parseAddress(url: string): MysqlAddress {
  const address = parseMysqlUrl(url);
  if (address !== null) return address;
  throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason: explainMysqlUrl(url) ?? 'it is no URL' });
}

/** The certificates and keys that the URL names are read once. */
function readServer(address: MysqlAddress, url: string): MysqlConnectOptions {
  try {
    return mysqlConnectOptions(address);
  } catch (error) {
    const reason = error instanceof Error ? `a file that it names can't be read: ${error.message}` : String(error);
    throw new TenancyError('TENANCY_REGISTRY_URL_REJECTED', { url: redactUrl(url), reason });
  }
}

function describeHost({ host, port, socketPath }: MysqlAddress): string {
  if (socketPath !== null) return socketPath;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
