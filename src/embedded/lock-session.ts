import type { Client } from 'pg';
import type { FoundServer } from './layout.js';
import { now, pause } from './machine.js';

/**
 * How commands share a server and the last one out knows that it is.
 *
 * Each holds advisory lock K shared, in the database `postgres`, for as long as it uses the server. Who leaves gives it
 * up and tries to take it exclusively: that fails while another uses the server. Having got it, nobody can join, and it
 * counts the other clients; with none, the server may be stopped.
 *
 * Two that leave at once: one may fail on the exclusive lock of the other, so the other must not count it as a client,
 * or both would go and the server stay. Therefore a leaver says so in its application_name *before* it unlocks: whoever
 * then gets the exclusive lock, after every shared one was given up, sees every leaver marked.
 * One that is just joining has neither the lock nor the mark, is counted, and keeps the server up.
 */
const LOCK_KEY = 7_305_421_946;

const JOINING = 'tenancy embedded';
const LEAVING = 'tenancy embedded, leaving';

/** Connections that a command has just closed take the server a moment to notice. */
const SETTLE_MS = 300;

export interface LockSession {
  /** Gives the server up. True when nobody else uses it; then nobody can join until `end`. */
  tryLeave(): Promise<boolean>;
  countOtherClients(): Promise<number>;
  end(): Promise<void>;
}

export function serverUrl(found: FoundServer, port: number): string {
  return `postgres://postgres:${found.password}@127.0.0.1:${port}/postgres`;
}

export type OpenedSession =
  | { readonly isOpen: true; readonly client: Client; readonly session: LockSession }
  | { readonly isOpen: false; readonly reason: string };

/** Connects to our own server, without joining it; it may be starting, stopping, or be another server on that port. */
export async function openSession(found: FoundServer, port: number): Promise<OpenedSession> {
  const { pg } = await import('../util/pg.js');
  const client = new pg.Client({
    connectionString: serverUrl(found, port),
    application_name: JOINING,
    connectionTimeoutMillis: 5000,
    ssl: false,
  });
  // The server went away: the next query says so. Without a listener this would end the process.
  client.on('error', () => undefined);
  let reason = `another server has port ${port}`;
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>(`SELECT current_setting('cluster_name') AS name`);
    if (rows[0]?.name === found.record.id) {
      return { isOpen: true, client, session: createSession(client) };
    }
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  await client.end().catch(() => undefined);
  return { isOpen: false, reason };
}

/** Takes part in the use of the server; false when the last one out is just stopping it. */
export async function tryJoin(client: Client): Promise<boolean> {
  try {
    const text = 'SELECT pg_try_advisory_lock_shared($1) AS is_held';
    const { rows } = await client.query<{ is_held: boolean }>(text, [LOCK_KEY]);
    return rows[0]?.is_held === true;
  } catch {
    // Cut off in the middle: it has been stopped.
    return false;
  }
}

async function countClients(client: Client): Promise<{ others: number; joining: number }> {
  const { rows } = await client.query<{ others: number; joining: number }>(
    `SELECT count(*)::int AS others, (count(*) FILTER (WHERE application_name = $2))::int AS joining
     FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> $1`,
    [LEAVING, JOINING],
  );
  return rows[0] ?? { others: 0, joining: 0 };
}

function createSession(client: Client): LockSession {
  return {
    async countOtherClients() {
      return (await countClients(client)).others;
    },
    async tryLeave() {
      await client.query(`SET application_name = '${LEAVING}'`);
      const { rows } = await client.query<{ is_last: boolean }>(
        'SELECT pg_advisory_unlock_shared($1), pg_try_advisory_lock($1) AS is_last',
        [LOCK_KEY],
      );
      if (rows[0]?.is_last !== true) return false;
      const deadline = now() + SETTLE_MS;
      for (;;) {
        const { others, joining } = await countClients(client);
        if (others === 0) return true;
        if (joining > 0 || now() > deadline) return false;
        await pause(5);
      }
    },
    async end() {
      await client.end().catch(() => undefined);
    },
  };
}
