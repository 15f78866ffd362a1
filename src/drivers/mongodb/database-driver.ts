import { withMongodbDatabase } from '../../util/mongodb-url.js';
import type { Presence, TenantDriver, TenantTarget } from '../driver.js';
import { bareMarker, describeOwner, isSameMarker } from '../marker.js';
import { createMongodbBackups } from './backups.js';
import { codeOf, isConnectionError } from './classify.js';
import { cutDatabaseAccess, planDatabaseCut, restoreDatabaseAccess, retainDatabase, unretainDatabase } from './database-access.js';
import { createDatabase, markCommand, nameTaken, unmarkCommand } from './database-create.js';
import { dropDatabase, findObstacles, sweepLeftUsers } from './database-drop.js';
import { listDatabases } from './database-list.js';
import { type EngineContext, settleRetryable } from './engine-context.js';
import { type HomeDocument, homeOf, newHome, readHome } from './home.js';
import { inspectDatabase } from './inspect.js';
import { createLoginDriver } from './logins.js';
import { runSession } from './run-session.js';

const never = new AbortController().signal;
const DUPLICATE_KEY = 11000;

/** One database for each tenant, on the deployment that the cluster's URL names. */
export function createMongodbDatabaseDriver(context: EngineContext): TenantDriver {
  const readNow = (target: TenantTarget) => settleRetryable(context, never, () => readHome(context, target.name));

  const probe = async (target: TenantTarget): Promise<Presence> => {
    const { document, others } = await readNow(target);
    if (document === null && others.length === 0) return { status: 'absent' };
    if (document === null) return { status: 'unmarked', isEmpty: await hasNoDocuments(context, target, others) };
    if (!isSameMarker(document, target.marker)) return { status: 'other', marker: bareMarker(document) };
    if (document.status === 'retained') return { status: 'retained', by: document.retained ?? null };
    return { status: document.status === 'dropping' ? 'partial' : 'ours', isEmpty: await hasNoDocuments(context, target, others) };
  };

  const refuseOther = (target: TenantTarget, document: HomeDocument): void => {
    if (!isSameMarker(document, target.marker)) throw nameTaken(target, describeOwner(document, target.marker));
  };

  return {
    name: 'mongodb-database',
    capabilities: {
      engine: 'mongodb',
      // A migration may ask for a transaction; it isn't what happens to every one.
      supportsTransactionalDdl: false,
      supportsRename: false,
      supportsCutAccess: false,
      isSharedDatabase: false,
      caveats: [
        'a migration that is interrupted may have done a part of its work: `export const transaction = true` has it done wholly or not at all, on a replica set or a sharded cluster',
        'a migration whose process was killed is reported and not run again, until `tenancy tenant repair` says whether it had been done; `export const rerunnable = true` says that it bears it',
        'a drop takes the users defined in the database along, and roles on it of users defined elsewhere, as far as the login may; roles of your own in admin that name the database are left',
        "access can be cut for users defined in the tenant's own database only: one of admin is the application's",
      ],
    },
    probe,
    create: async (target, signal, { ready } = {}) => {
      await ready;
      return createDatabase(context, target, signal);
    },
    drop: (target, signal) => dropDatabase(context, target, signal),
    sweepLeft: (target, signal) => sweepLeftUsers(context, target, signal),
    planDrop: async (target) => {
      const state = await readNow(target);
      return state.document === null && state.others.length === 0 ? [] : findObstacles(context, target, state);
    },
    logins: createLoginDriver(context),
    cutAccess: (target, signal) => cutDatabaseAccess(context, target, signal),
    planCutAccess: (target) => planDatabaseCut(context, target),
    restoreAccess: (target, signal) => restoreDatabaseAccess(context, target, signal),
    retain: (target, operation, signal) => retainDatabase(context, target, operation, signal),
    unretain: (target, by, signal) => unretainDatabase(context, target, by, signal),
    mark: async (target) => {
      const { document } = await readNow(target);
      if (document !== null) return refuseOther(target, document);
      try {
        await homeOf(context, target.name).insertOne(newHome(target.marker));
      } catch (error) {
        if (codeOf(error) !== DUPLICATE_KEY) throw error;
        const { document: found } = await readNow(target);
        if (found !== null) refuseOther(target, found);
      }
    },
    markCommand,
    unmarkCommand,
    list: (page) => settleRetryable(context, never, () => listDatabases(context, page)),
    inspect: (target, what, signal) => inspectDatabase(context, target, what, signal),
    backups: createMongodbBackups(context),
    connectionUrl: (target) => withMongodbDatabase(context.url, target.name),
    databaseName: (target) => target.name,
    clientCommand: (_target, url) => `mongosh '${url.replaceAll("'", '%27')}'`,
    nativeDatabase: (target) => context.client.db(target.name),
    withSession: (target, options, use) => runSession(context, target, options, use),
  };
}

/** A database without a marker is there by its collections alone: so it is empty where they are. */
async function hasNoDocuments({ client }: EngineContext, { name }: TenantTarget, collections: readonly string[]): Promise<boolean> {
  for (const collection of collections) {
    const found = client
      .db(name)
      .collection(collection)
      .findOne({}, { projection: { _id: 1 } });
    // A view that can't be read is somebody's all the same.
    const isEmpty = await found.then(
      (document) => document === null,
      (error: unknown) => (isConnectionError(error) ? Promise.reject(error) : false),
    );
    if (!isEmpty) return false;
  }
  return true;
}
