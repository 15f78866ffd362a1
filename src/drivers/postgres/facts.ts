import type { Client } from 'pg';
import type { ClusterFacts, ConnectionFacts } from '../driver.js';

const IDENTITY = `SELECT system_identifier::text || '/' || current_database() AS identity FROM pg_control_system()`;

/**
 * The system_identifier is made by initdb, and stays with the data through restarts and base backups (a standby has its primary's).
 * @throws 42501 where `pg_control_system` was taken from PUBLIC; doctor says so.
 */
export async function readIdentity(client: Client): Promise<string> {
  const { rows } = await client.query<{ identity: string }>(IDENTITY);
  return rows[0]?.identity ?? '';
}

/**
 * Slots for all clients alike are those that aren't kept back for superusers (and, from 16 on, for pg_use_reserved_connections).
 * A CONNECTION LIMIT (-1: none) binds no superuser. A login without pg_read_all_stats is not told the type of others' backends.
 */
const FACTS = `
  SELECT current_setting('server_version') AS version,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int AS max_connections,
         a.connections_in_use, a.by_login, a.by_database,
         CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END AS login_limit,
         CASE WHEN rolsuper THEN -1 ELSE (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) END AS database_limit,
         current_user AS login, current_database() AS database, pg_backend_pid() AS backend,
         has_database_privilege(current_database(), 'CREATE') AS can_create_schema,
         rolsuper OR rolcreatedb AS can_create_database,
         rolsuper OR pg_has_role('pg_signal_backend', 'MEMBER') AS can_signal,
         has_function_privilege('pg_control_system()', 'EXECUTE') AS can_identify
    FROM pg_roles,
         (SELECT count(*)::int AS connections_in_use,
                 (count(*) FILTER (WHERE usename = session_user))::int AS by_login,
                 (count(*) FILTER (WHERE datname = current_database()))::int AS by_database
            FROM pg_stat_activity WHERE datname IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend') AS a
   WHERE rolname = current_user`;

interface FactsRow {
  readonly version: string;
  readonly max_connections: number;
  readonly connections_in_use: number;
  readonly by_login: number;
  readonly by_database: number;
  readonly login_limit: number;
  readonly database_limit: number;
  readonly login: string;
  readonly database: string;
  readonly backend: number;
  readonly can_create_schema: boolean;
  readonly can_create_database: boolean;
  readonly can_signal: boolean;
  readonly can_identify: boolean;
}

/** @param ours connections that the engine has open */
export async function readConnections(client: Client, ours: number): Promise<ConnectionFacts> {
  return readFacts(client, ours);
}

/** @param ours connections that the engine has open */
export async function readFacts(client: Client, ours: number): Promise<ClusterFacts> {
  const { rows } = await client.query<FactsRow>(FACTS);
  const [row] = rows;
  if (row === undefined) throw new Error('the server did not say who we are');
  const login = client.escapeIdentifier(row.login);
  const database = client.escapeIdentifier(row.database);
  const identify = {
    privilege: 'EXECUTE on pg_control_system()',
    isGranted: row.can_identify,
    hint: `GRANT EXECUTE ON FUNCTION pg_control_system() TO ${login}`,
  };
  return {
    version: row.version,
    maxConnections: row.max_connections,
    connectionsInUse: row.connections_in_use,
    ours,
    // A pooler makes up the process id that it tells.
    isPooled: (client as unknown as { readonly processID: number | null }).processID !== row.backend,
    connectionLimits: [
      {
        driver: null,
        of: `the login ${row.login}`,
        most: row.login_limit,
        inUse: row.by_login,
        hint: `ALTER ROLE ${login} CONNECTION LIMIT -1`,
      },
      {
        driver: 'postgres-schema' as const,
        of: `the database ${row.database}`,
        most: row.database_limit,
        inUse: row.by_database,
        hint: `ALTER DATABASE ${database} CONNECTION LIMIT -1`,
      },
    ].filter(({ most }) => most >= 0),
    privileges: [
      {
        driver: 'postgres-schema',
        privilege: `CREATE on database ${row.database}`,
        isGranted: row.can_create_schema,
        hint: `GRANT CREATE ON DATABASE ${database} TO ${login}`,
      },
      { driver: 'postgres-schema', ...identify },
      { driver: 'postgres-database', privilege: 'CREATEDB', isGranted: row.can_create_database, hint: `ALTER ROLE ${login} CREATEDB` },
      {
        driver: 'postgres-database',
        privilege: 'membership in pg_signal_backend, to end sessions',
        isGranted: row.can_signal,
        hint: `GRANT pg_signal_backend TO ${login}`,
      },
      { driver: 'postgres-database', ...identify },
    ],
  };
}
