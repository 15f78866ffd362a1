import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { withLibpqTls } from '../../util/libpq-tls.js';
import { withDatabase } from './cluster-url.js';
import { cancelStatement, destroySocket, drain, onServerVersion } from './wire.js';

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
/** How long a goodbye may take before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 3_000;
const CANCEL_INTERVAL_MS = 200;

/** A database by its name, null for the one that the URL names; or a URL of its own, for one use of another login. */
export type DatabaseKey = string | null | { readonly url: string };

export interface ConnectionOptions {
  readonly url: string;
  readonly applicationName: string;
}

/** One connection to the server, from before it is open until the server counts it no longer. */
export interface ServerConnection {
  readonly client: Client;
  readonly database: DatabaseKey;
  /** `server_version_num`; known once it is open. */
  serverVersion: number;
  /** The socket is dead, or about to be: not to be lent again. */
  isBroken: boolean;
  /** Runs while nobody uses it. */
  idleTimer?: NodeJS.Timeout;
  /** Resolves when the socket is closed on both sides. */
  readonly ended: Promise<void>;
}

/** Not open yet. Loads pg when first called. `onBroken`: the socket died, also while nobody uses it. */
export async function createConnection(
  { url, applicationName }: ConnectionOptions,
  database: DatabaseKey,
  onBroken: (connection: ServerConnection) => void,
): Promise<ServerConnection> {
  const { pg } = await import('../../util/pg.js');
  const client = new pg.Client({
    connectionString: withLibpqTls(urlFor(url, database)),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
  });
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
  const connection: ServerConnection = { client, database, serverVersion: 0, isBroken: false, ended };
  const breakDown = (): void => {
    connection.isBroken = true;
    onBroken(connection);
  };
  client.on('error', breakDown);
  client.once('end', breakDown);
  onServerVersion(client, (version) => {
    connection.serverVersion = version;
  });
  return connection;
}

function urlFor(url: string, database: DatabaseKey): string {
  if (database === null) return url;
  return typeof database === 'string' ? withDatabase(url, database) : database.url;
}

/** On failure the socket is closed before this rejects. */
export async function openConnection({ client, ended }: ServerConnection): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    destroySocket(client);
    await ended;
    throw error;
  }
}

/**
 * Cancels what runs, waits a moment for the server to say so (its backend counts until then), and closes.
 * Asked again and again, since a request that overtakes its statement on the way is for nothing.
 */
export async function interruptConnection(connection: ServerConnection): Promise<void> {
  connection.isBroken = true;
  const drained = drain(connection.client, CLOSE_TIMEOUT_MS).then(() => true);
  const isDrainedWithin = (ms: number): Promise<boolean> => Promise.race([drained, delay(ms, false)]);
  for (let isDrained = await isDrainedWithin(0); !isDrained; isDrained = await isDrainedWithin(CANCEL_INTERVAL_MS)) {
    await cancelStatement(connection.client);
  }
  await closeConnection(connection);
}

/** Never rejects. */
export async function closeConnection({ client, ended }: ServerConnection): Promise<void> {
  const timer = setTimeout(() => destroySocket(client), CLOSE_TIMEOUT_MS);
  // Its own promise would never settle for a client that broke before; `ended` does.
  client.end().catch(() => destroySocket(client));
  await ended;
  clearTimeout(timer);
}
