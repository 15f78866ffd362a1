import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { POOL_SIZE } from '../rig/pgbouncer.js';
import { withDatabase } from '../rig/postgres.js';
import type { Sandbox } from '../rig/sandbox.js';

/** PgBouncer gives each client's own to the session; one that has none keeps that of whoever came before, as with any program. */
const NAME = 'other client';

/** All that one client can leave to the next who is given its session: to be called in a transaction, which pins the session. */
const LEFT_BEHIND = `
  SELECT 'the setting ' || name || ' = ' || setting AS what FROM pg_settings WHERE setting IS DISTINCT FROM reset_val
    AND context IN ('user', 'superuser') AND name <> 'application_name' AND NOT starts_with(name, 'tcp_')
  UNION ALL SELECT 'the name ' || current_setting('application_name') WHERE current_setting('application_name') <> '${NAME}'
  UNION ALL SELECT 'the role ' || current_user WHERE current_user <> session_user
  UNION ALL SELECT 'the prepared statement ' || name FROM pg_prepared_statements
  UNION ALL SELECT 'the cursor ' || name FROM pg_cursors WHERE is_holdable
  UNION ALL SELECT 'a subscription to ' || channel FROM pg_listening_channels() channel
  UNION ALL SELECT 'temporary tables' WHERE EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_my_temp_schema())`;

const HELD = `
  SELECT 'an advisory lock of ' || coalesce(a.application_name, '?') || ' in ' || d.datname || ': ' || left(a.query, 80) AS what
    FROM pg_locks l JOIN pg_database d ON d.oid = l.database LEFT JOIN pg_stat_activity a USING (pid)
    WHERE locktype = 'advisory' AND (d.datname = $1 OR starts_with(d.datname, $1 || '_'))
  UNION ALL SELECT 'a transaction of ' || application_name || ' in ' || datname || ': ' || left(query, 80) FROM pg_stat_activity
    WHERE state LIKE 'idle in transaction%' AND (datname = $1 OR starts_with(datname, $1 || '_'))`;

/** What the commands of a sandbox have left in the sessions that others are given through the pooler; none, it is to be. */
export async function findLeaks(sandbox: Sandbox, bouncerUrl: string): Promise<string[]> {
  const held = await findHeld(sandbox);
  const left: string[] = [];
  for (const database of await listDatabases(sandbox, 'AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)')) {
    const found = await inEachSession<{ what: string }>(withDatabase(bouncerUrl, database), LEFT_BEHIND);
    left.push(...found.map(({ what }) => `${what} in a session of ${database}`));
  }
  return [...held, ...left];
}

/** Has the pooler open all the sessions that it may, so that a command is given another for each of its transactions. */
export async function openSessions(sandbox: Sandbox, bouncerUrl: string): Promise<void> {
  for (const database of await listDatabases(sandbox)) await inEachSession(withDatabase(bouncerUrl, database), 'SELECT');
}

async function listDatabases(sandbox: Sandbox, condition = ''): Promise<string[]> {
  const sql = `SELECT datname FROM pg_database d WHERE (datname = $1 OR starts_with(datname, $1 || '_')) AND datallowconn ${condition}`;
  return (await sandbox.query<{ datname: string }>(sql, [sandbox.name])).map(({ datname }) => datname);
}

/** In a transaction on each of them at once: whoever has one can't have another's. */
async function inEachSession<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const clients = Array.from({ length: POOL_SIZE }, () => new Client({ connectionString: url, application_name: NAME }));
  try {
    await Promise.all(clients.map((client) => client.connect()));
    await Promise.all(clients.map((client) => client.query('BEGIN')));
    const rows = await Promise.all(clients.map(async (client) => (await client.query<Row>(sql)).rows));
    // A session that is left within a transaction would be closed, and not given to the next.
    await Promise.all(clients.map((client) => client.query('COMMIT')));
    return rows.flat();
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** What a client has open when it is killed is rolled back once the pooler and the server have noticed. */
async function findHeld(sandbox: Sandbox): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const held = await sandbox.query<{ what: string }>(HELD, [sandbox.name]);
    if (held.length === 0 || attempt === 30) return held.map(({ what }) => what);
    await delay(100);
  }
}
