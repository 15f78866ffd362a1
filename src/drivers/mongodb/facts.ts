import type { Document } from 'mongodb';
import { parseMongodbUrl } from '../../util/mongodb-url.js';
import type { ClusterFacts, ConnectionFacts } from '../driver.js';
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

/** Counted where the login may (`serverStatus`); elsewhere the server's default stands for what isn't known. The client's own aren't told apart. */
export async function readConnections({ client }: EngineContext): Promise<ConnectionFacts> {
  const status = await unlessForbidden(client.db('admin').command({ serverStatus: 1, repl: 0, metrics: 0, locks: 0, wiredTiger: 0 }));
  const { current = 0, available = DEFAULT_MAX_CONNECTIONS } = (status?.['connections'] ?? {}) as { current?: number; available?: number };
  return { maxConnections: current + available, connectionsInUse: current, ours: 0, isPooled: false, connectionLimits: [] };
}

export async function readFacts(context: EngineContext): Promise<ClusterFacts> {
  const { client, url } = context;
  const admin = client.db('admin');
  const [build, connections, connection] = await Promise.all([
    admin.command({ buildInfo: 1 }),
    readConnections(context),
    admin.command({ connectionStatus: 1, showPrivileges: true }),
  ]);
  const hosts = parseMongodbUrl(url)?.hosts ?? '';
  const login = loginOf(connection);
  const needs = /\.mongodb\.net\b/i.test(hosts) ? NEEDS : [...NEEDS, ...USER_NEEDS];
  return {
    ...connections,
    version: String(build['version']),
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
