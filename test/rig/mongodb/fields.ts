import { CommandError } from './errors.js';
import type { Document } from './values.js';

/** Every command may have these. */
const generic = words(`$db lsid txnNumber autocommit startTransaction stmtId stmtIds $clusterTime $readPreference readConcern writeConcern
  maxTimeMS comment apiVersion apiStrict apiDeprecationErrors`);

/** A server refuses a field that it doesn't know. So does the stand-in, or a misspelt option would pass for one that works. */
const known: Readonly<Record<string, ReadonlySet<string>>> = {
  find: words(`filter sort skip limit projection batchSize singleBatch let hint noCursorTimeout allowDiskUse allowPartialResults
    collation min max returnKey showRecordId tailable awaitData oplogReplay`),
  getMore: words('collection batchSize'),
  killCursors: words('cursors'),
  aggregate: words('pipeline cursor let hint allowDiskUse collation explain bypassDocumentValidation'),
  count: words('query skip limit hint collation fields'),
  distinct: words('key query hint collation'),
  insert: words('documents ordered bypassDocumentValidation'),
  update: words('updates ordered bypassDocumentValidation let'),
  delete: words('deletes ordered let'),
  findAndModify: words('query update remove new upsert sort fields arrayFilters let hint collation bypassDocumentValidation'),
  create: words(
    'validator validationLevel validationAction capped size max viewOn pipeline timeseries clusteredIndex collation expireAfterSeconds',
  ),
  collMod: words('validator validationLevel validationAction index'),
  drop: words(''),
  dropDatabase: words(''),
  createIndexes: words('indexes commitQuorum'),
  dropIndexes: words('index'),
  listIndexes: words('cursor'),
  listCollections: words('filter nameOnly authorizedCollections cursor'),
  listDatabases: words('filter nameOnly authorizedDatabases'),
  createUser: words('pwd roles customData mechanisms digestPassword'),
  updateUser: words('pwd roles customData mechanisms digestPassword'),
  dropUser: words(''),
  dropAllUsersFromDatabase: words(''),
  grantRolesToUser: words('roles'),
  revokeRolesFromUser: words('roles'),
  usersInfo: words('filter showCredentials showCustomData showPrivileges showAuthenticationRestrictions'),
  commitTransaction: words('recoveryToken'),
  abortTransaction: words('recoveryToken'),
  endSessions: words(''),
  killSessions: words(''),
};

const knownOfStatements: Readonly<Record<string, ReadonlySet<string>>> = {
  updates: words('q u c multi upsert arrayFilters collation hint sort'),
  deletes: words('q limit collation hint'),
};

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}

/** @throws CommandError 40415, as the server's parser does */
export function checkFields(name: string, command: Document): void {
  const fields = Object.hasOwn(known, name) ? known[name] : undefined;
  if (fields === undefined) return;
  const unknown = Object.keys(command).find((field) => field !== name && !generic.has(field) && !fields.has(field));
  if (unknown !== undefined) throw new CommandError(40415, `BSON field '${name}.${unknown}' is an unknown field.`);
  for (const [list, allowed] of Object.entries(knownOfStatements)) {
    if (!fields.has(list)) continue;
    for (const statement of command[list] as Document[]) {
      const stray = Object.keys(statement).find((field) => !allowed.has(field));
      if (stray !== undefined) throw new CommandError(40415, `BSON field '${name}.${list}.${stray}' is an unknown field.`);
    }
  }
}
