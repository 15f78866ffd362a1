import type { Document } from 'mongodb';
import { parseMongodbUrl } from '../../util/mongodb-url.js';
import type { ClusterFacts } from '../driver.js';
import { unlessForbidden } from './database-users.js';
import type { EngineContext } from './engine-context.js';
import { formatGrant, loginOf } from './login.js';

/** `net.maxIncomingConnections` where nobody has set it; the operating system may allow fewer. */
const DEFAULT_MAX_CONNECTIONS = 65_536;

interface Need {
  readonly actions: readonly string[];
  /** `any`: on every database; `server`: on the deployment. */
  readonly on: 'any' | 'server';
  readonly what: string;
  /** The built-in role that brings it. */
  readonly role: string;
}

const NEEDS: readonly Need[] = [
  { actions: ['listDatabases'], on: 'server', what: 'listDatabases', role: 'readWriteAnyDatabase' },
  {
    actions: ['find', 'insert', 'update', 'remove', 'createCollection', 'createIndex', 'dropCollection', 'listCollections'],
    on: 'any',
    what: 'reading and writing every database',
    role: 'readWriteAnyDatabase',
  },
  { actions: ['dropDatabase', 'collMod'], on: 'any', what: 'dropDatabase and collMod', role: 'dbAdminAnyDatabase' },
];

/** Atlas keeps all users itself, outside of the tenants' databases: there nobody can have these, and nobody needs them. */
const USER_NEEDS: readonly Need[] = [
  {
    actions: ['viewUser', 'dropUser', 'grantRole', 'revokeRole'],
    on: 'any',
    what: "looking after the users of a tenant's database",
    role: 'userAdminAnyDatabase',
  },
  { actions: ['killAnySession'], on: 'server', what: 'killAnySession, to end what they run', role: 'hostManager' },
];

/** Connections are counted where the login may (`serverStatus`); elsewhere the server's default stands for what isn't known. */
export async function readFacts({ client, url }: EngineContext): Promise<ClusterFacts> {
  const admin = client.db('admin');
  const [build, status, connection] = await Promise.all([
    admin.command({ buildInfo: 1 }),
    unlessForbidden(admin.command({ serverStatus: 1, repl: 0, metrics: 0, locks: 0, wiredTiger: 0 })),
    admin.command({ connectionStatus: 1, showPrivileges: true }),
  ]);
  const { current = 0, available = DEFAULT_MAX_CONNECTIONS } = (status?.['connections'] ?? {}) as { current?: number; available?: number };
  const hosts = parseMongodbUrl(url)?.hosts ?? '';
  const login = loginOf(connection);
  const needs = /\.mongodb\.net\b/i.test(hosts) ? NEEDS : [...NEEDS, ...USER_NEEDS];
  return {
    version: String(build['version']),
    maxConnections: current + available,
    connectionsInUse: current,
    connectionLimits: [],
    privileges: needs.map((need) => ({
      driver: 'mongodb-database',
      privilege: need.what,
      // Nobody has logged in, and yet the server answers: it asks for no login.
      isGranted: login === null || isGranted(privilegesOf(connection), need),
      hint: formatGrant(login ?? { user: '', db: 'admin' }, need.role),
    })),
  };
}

interface Privilege {
  readonly resource: {
    readonly db?: string;
    readonly collection?: string;
    readonly cluster?: boolean;
    readonly anyResource?: boolean;
  };
  readonly actions: readonly string[];
}

function isGranted(privileges: readonly Privilege[], { actions, on }: Need): boolean {
  const applies = ({ resource: { db, collection, cluster, anyResource } }: Privilege): boolean =>
    anyResource === true || (on === 'server' ? cluster === true : db === '' && (collection === '' || collection === undefined));
  return actions.every((action) => privileges.some((privilege) => applies(privilege) && privilege.actions.includes(action)));
}

function privilegesOf(connection: Document): readonly Privilege[] {
  return (connection['authInfo']?.authenticatedUserPrivileges ?? []) as readonly Privilege[];
}
