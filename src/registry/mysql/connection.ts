import { once } from 'node:events';
import type { Socket } from 'node:net';
import pLimit from 'p-limit';
import { TenancyError } from '../../errors.js';
import { explainMysqlUrl, type MysqlAddress, type MysqlConnectOptions, mysqlConnectOptions, parseMysqlUrl } from '../../util/mysql-url.js';
import { redactUrl } from '../../util/redact.js';
import { Calls } from '../calls.js';
import { toJson } from '../keepable.js';
import type { RegistryPlace } from '../place.js';
import type { OpenRegistryOptions } from '../registry.js';
import type { Row } from '../rows.js';
import { isAbsent, isTransient, toRegistryError } from './failures.js';
import { type MysqlSession, openSession, type Statement } from './session.js';

/** The registry's few connections. */
export interface RegistryConnection {
  readonly place: RegistryPlace;
  /** Who acts, as JSON: for every event. */
  readonly actor: string | null;
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
  let isCut = false;
  const calls = new Calls({
    where: place.where,
    isTransient,
    isAbsent,
    toRegistryError: (error) => toRegistryError(error, place),
    end: async () => {
      for (const session of idle.splice(0)) session.destroy();
      await Promise.allSettled([...sockets].map((socket) => once(socket, 'close')));
    },
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
  });

  function openOne(to: { readonly database?: string }): Promise<MysqlSession> {
    const isTlsOptional = given.sslMode === 'PREFERRED';
    return openSession({ server: { ...server, ...to }, isTlsOptional, applicationName: options.applicationName, onSocket });
  }

  function lend<T>(use: (session: MysqlSession) => Promise<T>): Promise<T> {
    return takeTurn(async () => {
      // Nobody waits for it any more.
      if (isCut) throw new Error('the registry is closed');
      const session = takeIdle(idle) ?? (await openOne({ database }));
      try {
        return await use(session);
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

  function send(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]> {
    return calls.repeat(() => lend((session) => session.send(statements)));
  }

  let actor: string | undefined;
  return {
    place,
    get actor() {
      actor ??= options.actor && toJson(options.actor);
      return actor ?? null;
    },
    isDatabaseNamed: given.database !== null,
    read: async <R extends Row>(sql: string, params: Statement['params'] = []) => {
      const [rows = []] = await send([{ sql, params }]);
      return rows as R[];
    },
    transact: async (statements) => (await send([BEGIN, ...statements, COMMIT])).slice(1, -1),
    withSession: (use, to) => calls.once(() => (to === null ? lendWithoutDatabase(use) : lend(use))),
    close: () => calls.close(),
  };
}

function takeIdle(idle: MysqlSession[]): MysqlSession | undefined {
  for (let session = idle.pop(); session !== undefined; session = idle.pop()) {
    if (session.isUsable) return session;
  }
  return undefined;
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
