import type { ClusterFacts, ConnectionFacts } from '../driver.js';
import type { ServerConnection } from './connection.js';
import { readRow, readRows } from './engine-context.js';
import { quoteAccount } from './quote.js';

const VARIABLES = `
  SELECT @@version AS version, @@max_connections AS max_connections, @@global.max_user_connections AS max_user_connections,
         CURRENT_USER() AS login, (SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = SUBSTRING_INDEX(USER(), '@', 1)) AS by_login`;

interface VariablesRow {
  readonly version: string;
  readonly max_connections: number;
  /** For every account without a limit of its own; 0: none. */
  readonly max_user_connections: number;
  readonly login: string;
  readonly by_login: number;
}

/** What is needed on all databases, as SHOW GRANTS names it, and what for. */
const NEEDED: readonly { readonly names: readonly string[]; readonly label: string; readonly grant: string }[] = [
  { names: ['CREATE'], label: 'CREATE', grant: 'CREATE' },
  { names: ['DROP'], label: 'DROP', grant: 'DROP' },
  {
    names: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'ALTER', 'INDEX', 'REFERENCES'],
    label: 'SELECT, INSERT, UPDATE, DELETE, ALTER, INDEX, REFERENCES, for migrations',
    grant: 'SELECT, INSERT, UPDATE, DELETE, ALTER, INDEX, REFERENCES',
  },
  {
    names: ['CREATE VIEW', 'CREATE ROUTINE', 'ALTER ROUTINE', 'TRIGGER', 'EVENT', 'EXECUTE'],
    label: 'CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, TRIGGER, EVENT, for migrations and to drop what they made',
    grant: 'CREATE VIEW, CREATE ROUTINE, ALTER ROUTINE, EXECUTE, TRIGGER, EVENT',
  },
  { names: ['CREATE USER'], label: "CREATE USER, to drop tenants' logins", grant: 'CREATE USER' },
  { names: ['GRANT OPTION'], label: 'GRANT OPTION, to take rights away and to give them back', grant: 'USAGE' },
  { names: ['PROCESS'], label: 'PROCESS, to see the sessions of others', grant: 'PROCESS' },
];

/** Each of them lets end sessions of others: before and since MySQL 8.0 and MariaDB 10.5 split SUPER up. */
const KILLERS = ['SUPER', 'CONNECTION_ADMIN', 'CONNECTION ADMIN'];

/**
 * `max_connections` leaves one more for somebody with SUPER or CONNECTION_ADMIN, which isn't counted here.
 * @param ours connections that the engine has open
 */
export async function readConnections(connection: ServerConnection, ours: number): Promise<ConnectionFacts> {
  return describeConnections(connection, await readVariables(connection), ours);
}

/** @param ours connections that the engine has open */
export async function readFacts(connection: ServerConnection, ours: number): Promise<ClusterFacts> {
  const row = await readVariables(connection);
  const login = loginOf(row);
  const granted = await readGlobalRights(connection);
  const has = (names: readonly string[]): boolean => granted.has('ALL PRIVILEGES') || names.every((name) => granted.has(name));
  return {
    ...(await describeConnections(connection, row, ours)),
    version: row.version,
    privileges: [
      ...NEEDED.map(({ names, label, grant }) => ({
        driver: 'mysql-database' as const,
        privilege: label,
        // ALL PRIVILEGES is all but the right to pass them on.
        isGranted: names[0] === 'GRANT OPTION' ? granted.has('GRANT OPTION') : has(names),
        hint: `GRANT ${grant} ON *.* TO ${login}${names[0] === 'GRANT OPTION' ? ' WITH GRANT OPTION' : ''}`,
      })),
      {
        driver: 'mysql-database',
        privilege: `${connection.isMariadb ? 'CONNECTION ADMIN' : 'CONNECTION_ADMIN'}, to end sessions of others`,
        isGranted: has(['SUPER']) || KILLERS.some((name) => granted.has(name)),
        hint: `GRANT ${connection.isMariadb ? 'CONNECTION ADMIN' : 'CONNECTION_ADMIN'} ON *.* TO ${login}`,
      },
    ],
  };
}

async function readVariables(connection: ServerConnection): Promise<VariablesRow> {
  const row = await readRow<VariablesRow>(connection, VARIABLES);
  if (row === undefined) throw new Error('the server did not say who we are');
  return row;
}

function loginOf({ login }: VariablesRow): string {
  const [, user = '', host = ''] = /^(.*)@(.*)$/.exec(login) ?? [];
  return quoteAccount({ user, host });
}

async function describeConnections(connection: ServerConnection, row: VariablesRow, ours: number): Promise<ConnectionFacts> {
  const status = await readRow<{ Value: string }>(connection, `SHOW GLOBAL STATUS LIKE 'Threads_connected'`);
  const limit = (await readOwnLimit(connection)) || Number(row.max_user_connections);
  return {
    maxConnections: Number(row.max_connections),
    connectionsInUse: Number(status?.Value ?? 0),
    ours,
    isPooled: false,
    connectionLimits:
      limit > 0
        ? [
            {
              driver: null,
              of: `the login ${row.login}`,
              most: limit,
              inUse: Number(row.by_login),
              hint: `ALTER USER ${loginOf(row)} WITH MAX_USER_CONNECTIONS 0, or SET GLOBAL max_user_connections = 0`,
            },
          ]
        : [],
  };
}

/** Not the session's `max_user_connections`, which a reset of the connection takes to the server's. 0: none. */
async function readOwnLimit(connection: ServerConnection): Promise<number> {
  const row = await readRow(connection, 'SHOW CREATE USER CURRENT_USER()').catch(() => undefined);
  const [, limit = '0'] = /\bMAX_USER_CONNECTIONS (\d+)/.exec(String(Object.values(row ?? {})[0] ?? '')) ?? [];
  return Number(limit);
}

/** On all databases, and of the roles that are active. */
async function readGlobalRights(connection: ServerConnection): Promise<ReadonlySet<string>> {
  const granted = new Set<string>();
  for (const row of await readRows(connection, 'SHOW GRANTS')) {
    const grant = String(Object.values(row)[0]);
    const [, rights] = /^GRANT (.+?) ON \*\.\* TO /.exec(grant) ?? [];
    for (const right of rights?.split(', ') ?? []) granted.add(right.trim());
    if (rights !== undefined && / WITH .*GRANT OPTION/.test(grant)) granted.add('GRANT OPTION');
  }
  return granted;
}
