import net from 'node:net';
import { format } from 'mysql2';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import type { MysqlConnectOptions } from '../../util/mysql-url.js';
import type { Row } from '../rows.js';
import { isOfServer } from './failures.js';

/** Values go where a `?` is, and nowhere else; an array becomes a list. */
export interface Statement {
  readonly sql: string;
  readonly params?: readonly Value[];
}

export type Value = string | number | null | readonly (string | null)[];

/** One connection, used by one call at a time. */
export interface MysqlSession {
  /** Sends all statements in one message, and gives the rows of each; the first that fails ends the message and its transaction. */
  send(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]>;
  readonly isUsable: boolean;
  destroy(): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that went silent would hang forever; no statement of ours takes nearly as long. */
const ANSWER_TIMEOUT_MS = 15_000;

/**
 * Whatever the server's defaults are. The mode decides how a text is quoted (no NO_BACKSLASH_ESCAPES, no ANSI_QUOTES) and that nothing
 * is cut short silently; read committed sees, after a wait for a row, what the other has written, and locks no gaps.
 */
const SETTINGS: readonly Statement[] = [
  { sql: 'SET NAMES utf8mb4 COLLATE utf8mb4_bin' },
  {
    sql: `SET SESSION sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION',
      time_zone = '+00:00', autocommit = 1, sql_safe_updates = 0, sql_select_limit = DEFAULT, foreign_key_checks = 1, unique_checks = 1,
      group_concat_max_len = 16777216, innodb_lock_wait_timeout = 12`,
  },
  { sql: 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED' },
];

export interface SessionOptions {
  readonly server: MysqlConnectOptions;
  /** A server that has no TLS is talked to without. */
  readonly isTlsOptional: boolean;
  readonly applicationName: string;
  /** Each socket that is opened, so that none outlives who asked for it, not even one that is still connecting. */
  readonly onSocket: (socket: net.Socket) => void;
}

/** Connects; what the session needs is set with the first message. */
export async function openSession(options: SessionOptions): Promise<MysqlSession> {
  try {
    return await connect(options);
  } catch (error) {
    const isPlain = error instanceof Error && 'code' in error && error.code === 'HANDSHAKE_NO_SSL_SUPPORT';
    if (!isPlain || !options.isTlsOptional) throw error;
    const { ssl: _, ...plain } = options.server;
    return connect({ ...options, server: plain });
  }
}

async function connect({ server, applicationName, onSocket }: SessionOptions): Promise<MysqlSession> {
  const state = { isUsable: true, isNew: true };
  const connection = await createConnection({
    ...server,
    charset: 'utf8mb4_bin',
    timezone: 'Z',
    supportBigNumbers: true,
    jsonStrings: true,
    multipleStatements: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    connectAttributes: { program_name: applicationName },
    stream: () => {
      const { host, port = 3306, socketPath } = server;
      const socket = socketPath === undefined ? net.connect(port, host) : net.connect(socketPath);
      onSocket(socket.setNoDelay(true).setKeepAlive(true));
      return socket.once('close', () => {
        state.isUsable = false;
      });
    },
  });
  // Of one that is idle: it is replaced when the next one is asked for.
  connection.on('error', () => {
    state.isUsable = false;
  });

  async function sendAll(statements: readonly Statement[]): Promise<readonly (readonly Row[])[]> {
    const all = state.isNew ? [...SETTINGS, ...statements] : statements;
    const text = all.map(({ sql, params = [] }) => format(sql, params.map(toPlain), true)).join(';\n');
    const [answer] = await connection.query<RowDataPacket[]>({ sql: text, timeout: ANSWER_TIMEOUT_MS });
    const answers: readonly unknown[] = all.length === 1 ? [answer] : answer;
    state.isNew = false;
    return answers.slice(all.length - statements.length).map((rows) => (Array.isArray(rows) ? (rows as Row[]) : []));
  }

  return {
    get isUsable() {
      return state.isUsable;
    },
    send: async (statements) => {
      try {
        return await sendAll(statements);
      } catch (error) {
        // What was begun in the message isn't committed and must not stay open.
        const isOver = isOfServer(error) && !state.isNew && (await connection.query('ROLLBACK').catch(() => null)) !== null;
        if (!isOver) state.isUsable = false;
        throw error;
      }
    },
    destroy: () => {
      state.isUsable = false;
      connection.destroy();
    },
  };
}

function toPlain(value: Value): string | number | null | (string | null)[] {
  return typeof value === 'object' && value !== null ? [...value] : value;
}
