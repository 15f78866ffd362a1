import { CommandError } from './errors.js';
import type { Document } from './values.js';

export interface Role {
  readonly role: string;
  readonly db: string;
}

/** https://www.mongodb.com/docs/manual/reference/built-in-roles/ */
const reading = ['find', 'listCollections', 'listIndexes', 'collStats', 'dbStats', 'killCursors'];
const writing = [...reading, 'insert', 'update', 'remove', 'createCollection', 'dropCollection', 'createIndex', 'dropIndex'];
const administering = [
  'listCollections',
  'listIndexes',
  'collStats',
  'dbStats',
  'collMod',
  'createCollection',
  'dropCollection',
  'createIndex',
  'dropIndex',
  'dropDatabase',
  'validate',
  'killCursors',
  'bypassDocumentValidation',
];
const managingUsers = [
  'createRole',
  'dropRole',
  'createUser',
  'dropUser',
  'changePassword',
  'changeCustomData',
  'grantRole',
  'revokeRole',
  'viewUser',
  'viewRole',
];
const monitoring = [
  'serverStatus',
  'listDatabases',
  'inprog',
  'replSetGetStatus',
  'replSetGetConfig',
  'getParameter',
  'listSessions',
  'hostInfo',
  'top',
  'connPoolStats',
];
const managingHosts = ['killop', 'killAnySession', 'killAnyCursor', 'setParameter', 'shutdown', 'fsync'];
const testing = ['configureFailPoint', 'sleep'];

const perDatabase: Record<string, readonly string[]> = {
  read: reading,
  readWrite: writing,
  dbAdmin: administering,
  userAdmin: managingUsers,
  dbOwner: [...writing, ...administering, ...managingUsers],
};

/** Of the database `admin` alone: the actions on every database, and those on the server. */
const everywhere: Record<string, { readonly databases: readonly string[]; readonly server: readonly string[] }> = {
  readAnyDatabase: { databases: reading, server: ['listDatabases'] },
  readWriteAnyDatabase: { databases: writing, server: ['listDatabases'] },
  dbAdminAnyDatabase: { databases: administering, server: ['listDatabases'] },
  userAdminAnyDatabase: { databases: [...managingUsers, 'listCollections'], server: ['listDatabases'] },
  clusterMonitor: { databases: ['dbStats', 'collStats', 'listCollections', 'listIndexes'], server: monitoring },
  hostManager: { databases: ['killCursors'], server: managingHosts },
  clusterManager: { databases: [], server: ['replSetGetStatus', 'replSetGetConfig'] },
  clusterAdmin: {
    databases: ['dropDatabase', 'dbStats', 'collStats', 'listCollections', 'listIndexes'],
    server: [...monitoring, ...managingHosts],
  },
  backup: { databases: [...reading, 'viewUser'], server: ['listDatabases', 'serverStatus'] },
  restore: { databases: [...writing, ...administering, ...managingUsers], server: [] },
  root: { databases: [...writing, ...administering, ...managingUsers], server: [...monitoring, ...managingHosts, ...testing] },
};

/** @throws CommandError RoleNotFound */
export function parseRoles(given: unknown, database: string): Role[] {
  if (!Array.isArray(given)) throw new CommandError(2, 'roles have to be an array');
  return given.map((item: string | Document) => {
    const { role, db } = typeof item === 'string' ? { role: item, db: database } : (item as unknown as Role);
    const isKnown = Object.hasOwn(perDatabase, role) || (db === 'admin' && Object.hasOwn(everywhere, role));
    if (!isKnown) throw new CommandError(31, `Could not find role: ${role}@${db}`);
    return { role, db };
  });
}

/** As `connectionStatus` tells them. A resource without a name is any. */
export function privilegesOf(roles: readonly Role[]): Document[] {
  return roles.flatMap(({ role, db }): Document[] => {
    const wide = db === 'admin' && Object.hasOwn(everywhere, role) ? everywhere[role] : undefined;
    if (wide === undefined) return [{ resource: { db, collection: '' }, actions: [...new Set(perDatabase[role])] }];
    return [
      { resource: { db: '', collection: '' }, actions: [...new Set(wide.databases)] },
      { resource: { cluster: true }, actions: [...wide.server] },
    ];
  });
}

/** Null for the database: of the server as a whole. */
export function isAllowed(roles: readonly Role[], action: string, database: string | null): boolean {
  return roles.some(({ role, db }) => {
    const wide = db === 'admin' && Object.hasOwn(everywhere, role) ? everywhere[role] : undefined;
    if (wide !== undefined) return (database === null ? wide.server : wide.databases).includes(action);
    return database === db && perDatabase[role]?.includes(action) === true;
  });
}
