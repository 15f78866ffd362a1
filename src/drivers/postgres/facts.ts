import type { Client } from 'pg';
import type { ClusterFacts } from '../driver.js';

const IDENTITY = `SELECT system_identifier::text || '/' || current_database() AS identity FROM pg_control_system()`;

/**
 * The system_identifier is made by initdb, and stays with the data through restarts and base backups (a standby has its primary's).
 * @throws 42501 where `pg_control_system` was taken from PUBLIC; doctor says so.
 */
export async function readIdentity(client: Client): Promise<string> {
  const { rows } = await client.query<{ identity: string }>(IDENTITY);
  return rows[0]?.identity ?? '';
}

/** Slots for all clients alike are those that aren't kept back for superusers (and, from 16 on, for pg_use_reserved_connections). */
const FACTS = `
  SELECT current_setting('server_version') AS version,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int AS max_connections,
         (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections_in_use,
         current_user AS login, current_database() AS database,
         has_database_privilege(current_database(), 'CREATE') AS can_create_schema,
         rolsuper OR rolcreatedb AS can_create_database,
         rolsuper OR pg_has_role('pg_signal_backend', 'MEMBER') AS can_signal,
         has_function_privilege('pg_control_system()', 'EXECUTE') AS can_identify
    FROM pg_roles WHERE rolname = current_user`;

interface FactsRow {
  readonly version: string;
  readonly max_connections: number;
  readonly connections_in_use: number;
  readonly login: string;
  readonly database: string;
  readonly can_create_schema: boolean;
  readonly can_create_database: boolean;
  readonly can_signal: boolean;
  readonly can_identify: boolean;
}

/** `maxConnections` are those that an ordinary login can have. */
export async function readFacts(client: Client): Promise<ClusterFacts> {
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
