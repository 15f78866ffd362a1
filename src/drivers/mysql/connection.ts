import mysql, { type Connection, type ConnectionOptions as Mysql2Options, type QueryError, type ResultSetHeader } from 'mysql2';
import { type MysqlAddress, mysqlConnectOptions } from '../../util/mysql-url.js';

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
/** How long a goodbye may take before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 3_000;

export type Row = Record<string, unknown>;

/** What the server answers to one statement. */
export interface Answer {
  readonly rows: Row[];
  /** Null for a statement that answers with rows. */
  readonly rowCount: number | null;
  /** As the server says it beside the count: `Records: 3  Duplicates: 0  Warnings: 1`. */
  readonly info: string;
  readonly warnings: number;
}

/** One connection to the server, from when it is open until the server counts it no longer. */
export interface ServerConnection {
  /** The server's number of it, as KILL takes it. */
  readonly id: number;
  readonly isMariadb: boolean;
  /** The socket is dead, or about to be: not to be lent again. */
  isBroken: boolean;
  /** Runs while nobody uses it. */
  idleTimer?: NodeJS.Timeout;
  /** One text of any number of statements; an answer for each. Parameters are filled in here, as MySQL prepares but some statements. */
  send(sql: string, params?: readonly unknown[]): Promise<readonly Answer[]>;
  /** Resolves when nothing that was sent is without its answer. */
  drain(): Promise<void>;
  /** Rolls back, and takes away all that a session keeps: variables, temporary tables, locks, prepared statements. */
  reset(): Promise<void>;
  /** Says goodbye, and resolves when the socket is closed. Never rejects. */
  close(): Promise<void>;
  destroy(): void;
}

export interface ConnectionOptions {
  readonly address: MysqlAddress;
  /** Shown as program_name in performance_schema.session_connect_attrs. */
  readonly applicationName: string;
}

/** `onBroken`: the socket died, also while nobody uses it. @throws the server's or the socket's error; the socket is closed then. */
export async function openConnection(
  { address, applicationName }: ConnectionOptions,
  onBroken: (connection: ServerConnection) => void,
): Promise<ServerConnection> {
  const { database: _, ...server } = mysqlConnectOptions(address);
  const options: Mysql2Options = {
    ...server,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    multipleStatements: true,
    // LOAD DATA LOCAL would let the server read files of this machine.
    flags: ['-LOCAL_FILES'],
    connectAttributes: { program_name: applicationName },
    supportBigNumbers: true,
    stringifyObjects: true,
  };
  try {
    return await connect(options, onBroken);
  } catch (error) {
    const isPlain = (error as { code?: unknown }).code === 'HANDSHAKE_NO_SSL_SUPPORT' && address.sslMode === 'PREFERRED';
    if (!isPlain) throw error;
    const { ssl: __, ...plain } = options;
    return connect(plain, onBroken);
  }
}

function connect(options: Mysql2Options, onBroken: (connection: ServerConnection) => void): Promise<ServerConnection> {
  const client = mysql.createConnection(options);
  const { stream } = client as unknown as { stream: Stream };
  const ended = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    client.once('connect', (handshake: { serverVersion?: string }) => {
      const connection = wrap(client, stream, ended, /mariadb/i.test(handshake.serverVersion ?? ''));
      const breakDown = (): void => {
        connection.isBroken = true;
        onBroken(connection);
      };
      client.on('error', breakDown);
      stream.once('close', breakDown);
      resolve(connection);
    });
  });
}

/** mysql2's own `destroy` only says goodbye: where nothing gets through any more, it would be waited for as long as the kernel tries. */
type Stream = NodeJS.EventEmitter & { destroy(): void };

function wrap(client: Connection, stream: Stream, ended: Promise<void>, isMariadb: boolean): ServerConnection {
  let last: Promise<unknown> = Promise.resolve();
  return {
    id: client.threadId ?? 0,
    isMariadb,
    isBroken: false,
    send: (sql, params = []) => {
      const answer = send(client, sql, params);
      last = answer.catch(() => undefined);
      return answer;
    },
    drain: async () => {
      await last;
    },
    reset: () =>
      new Promise((resolve, reject) => {
        const { reset } = client as unknown as { reset(callback: (error: unknown) => void): void };
        reset.call(client, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => {
      const timer = setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS);
      client.end(() => {});
      await ended;
      clearTimeout(timer);
    },
    destroy: () => stream.destroy(),
  };
}

function send(client: Connection, sql: string, params: readonly unknown[]): Promise<readonly Answer[]> {
  return new Promise((resolve, reject) => {
    let results = 0;
    const onAnswer = (error: QueryError | null, answer: unknown): void => {
      if (error) {
        // The text that was sent may hold secrets, and an error is printed with all that it carries.
        delete (error as { sql?: unknown }).sql;
        reject(error);
      }
      // One answer comes bare, several in an array, and rows are an array too: counting tells.
      else resolve((results > 1 ? (answer as unknown[]) : [answer]).map(toAnswer));
    };
    const query = params.length === 0 ? client.query(sql, onAnswer) : client.query(sql, [...params], onAnswer);
    query.on('fields', () => results++);
  });
}

function toAnswer(answer: unknown): Answer {
  if (Array.isArray(answer)) return { rows: answer as Row[], rowCount: null, info: '', warnings: 0 };
  const { affectedRows, info = '', warningStatus = 0 } = answer as ResultSetHeader;
  return { rows: [], rowCount: affectedRows, info: info.trim(), warnings: warningStatus };
}
