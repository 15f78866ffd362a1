import type { Collection } from '../collection.js';
import { CommandError } from '../errors.js';
import { isThere, parseIndexSpec } from '../indexes.js';
import { compileFilter } from '../match.js';
import type { Operation } from '../operation.js';
import { isAllowed } from '../roles.js';
import { type Document, integer, isDocument, isEqual, isNumber, isTruthy, numberOr } from '../values.js';
import {
  type CommandTable,
  collectionName,
  findCollection,
  mustFindCollection,
  refuseOptions,
  toDatabase,
  toNobody,
  waitForTransactions,
} from './command.js';

const optionNames = [
  'validator',
  'validationLevel',
  'validationAction',
  'capped',
  'viewOn',
  'timeseries',
  'clusteredIndex',
  'changeStreamPreAndPostImages',
];

export const schemaCommands: CommandTable = {
  listDatabases: { run: listDatabases, needs: toNobody, isForAdmin: true },
  listCollections: { run: listCollections, needs: listCollectionsNeeds },
  create: {
    run: async (operation) => {
      const { command, server, transaction } = operation;
      refuseOptions(command, 'collation');
      const name = collectionName(operation);
      const options = Object.fromEntries(Object.entries(command).filter(([option]) => optionNames.includes(option)));
      const existing = findCollection(operation);
      // The same again is no error since 7.0.
      if (existing !== undefined && isEqual(existing.options, options)) return {};
      const created = server.catalogue.create(operation.db, name, options);
      transaction?.touched.add(created);
      transaction?.undo.push(() => server.catalogue.drop(created));
      return {};
    },
    needs: toDatabase('createCollection'),
    isForTransactions: true,
  },
  collMod: {
    run: async (operation) => {
      const { command } = operation;
      const collection = mustFindCollection(operation);
      await waitForTransactions(operation, [collection]);
      const changed = Object.fromEntries(
        Object.entries(command).filter(([name]) => ['validator', 'validationLevel', 'validationAction'].includes(name)),
      );
      collection.options = { ...collection.options, ...changed };
      return isDocument(command['index']) ? modifyIndex(collection, command['index']) : {};
    },
    needs: toDatabase('collMod'),
  },
  drop: {
    run: async (operation) => {
      const collection = findCollection(operation);
      // No error since 7.0.
      if (collection === undefined) return {};
      await waitForTransactions(operation, [collection]);
      operation.server.catalogue.drop(collection);
      return { nIndexesWas: collection.indexes.length, ns: collection.namespace };
    },
    needs: toDatabase('dropCollection'),
  },
  dropDatabase: {
    run: async (operation) => {
      const { server, db } = operation;
      if (['admin', 'config', 'local'].includes(db)) throw new CommandError(20, `Dropping the '${db}' database is prohibited.`);
      const collections = server.catalogue.collections(db);
      await waitForTransactions(operation, collections);
      server.catalogue.dropDatabase(db);
      return collections.length === 0 ? {} : { dropped: db };
    },
    needs: toDatabase('dropDatabase'),
  },
  createIndexes: { run: createIndexes, needs: toDatabase('createIndex'), isForTransactions: true },
  listIndexes: {
    run: (operation) => {
      const { command, server, session, connection } = operation;
      const collection = mustFindCollection(operation);
      const size =
        isDocument(command['cursor']) && isNumber(command['cursor']['batchSize']) ? numberOr(command['cursor']['batchSize'], 101) : null;
      const specs = collection.indexes.map(({ spec }) => spec);
      return server.cursors.open(`${collection.database}.${collection.name}`, specs, size, { user: connection.user, session });
    },
    needs: toDatabase('listIndexes'),
  },
  dropIndexes: { run: dropIndexes, needs: toDatabase('dropIndex') },
  deleteIndexes: { run: dropIndexes, needs: toDatabase('dropIndex') },
  dbStats: {
    run: ({ server, db }) => {
      const collections = server.catalogue.collections(db);
      const objects = collections.reduce((sum, collection) => sum + collection.count(), 0);
      return {
        db,
        collections: collections.length,
        views: 0,
        objects,
        indexes: collections.reduce((sum, { indexes }) => sum + indexes.length, 0),
      };
    },
    needs: toDatabase('dbStats'),
  },
};

/** Who may not list them all sees those that a role of theirs is about. */
function listDatabases({ command, server, connection }: Operation): Document {
  const roles = connection.user?.roles ?? [];
  const seesAll = !server.hasAuth || isAllowed(roles, 'listDatabases', null);
  if (!seesAll && command['authorizedDatabases'] === false) throw new CommandError(13, 'Insufficient permissions to list all databases');
  const matches = compileFilter(command['filter']);
  const names = [...new Set(['admin', 'config', 'local', ...server.catalogue.databases()])].sort();
  const databases = names
    .filter((name) => (seesAll && command['authorizedDatabases'] !== true) || isAllowed(roles, 'find', name))
    .map((name) => ({ name, sizeOnDisk: integer(8192), empty: false }))
    .filter(matches);
  if (isTruthy(command['nameOnly'])) return { databases: databases.map(({ name }) => ({ name })) };
  return { databases, totalSize: 8192 * databases.length, totalSizeMb: 0 };
}

function listCollectionsNeeds({ command, db }: Operation): readonly (readonly [string, string])[] {
  // By name alone, each sees what is theirs to see.
  return isTruthy(command['nameOnly']) && isTruthy(command['authorizedCollections']) ? [] : [['listCollections', db]];
}

function listCollections(operation: Operation): Document {
  const { command, server, db, session, connection } = operation;
  const isVisible = !server.hasAuth || isAllowed(connection.user?.roles ?? [], 'listCollections', db);
  const matches = compileFilter(command['filter']);
  const listed = (isVisible ? server.catalogue.collections(db) : [])
    .map(({ name, options, uuid }) => ({
      name,
      // A time series is listed as one, and kept as any other collection: there are no buckets behind it.
      type: isTruthy(options['timeseries']) ? 'timeseries' : 'collection',
      options,
      info: { readOnly: false, uuid },
      idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
    }))
    .filter(matches);
  const shown = isTruthy(command['nameOnly']) ? listed.map(({ name, type }) => ({ name, type })) : listed;
  const size =
    isDocument(command['cursor']) && isNumber(command['cursor']['batchSize']) ? numberOr(command['cursor']['batchSize'], 101) : null;
  return server.cursors.open(`${db}.$cmd.listCollections`, shown, size, { user: connection.user, session });
}

async function createIndexes(operation: Operation): Promise<Document> {
  const { command, server, transaction } = operation;
  if (!Array.isArray(command['indexes']) || command['indexes'].length === 0)
    throw new CommandError(2, 'Must specify at least one index to create');
  const specs = command['indexes'].map(parseIndexSpec);
  const existing = findCollection(operation);
  if (existing !== undefined) await waitForTransactions(operation, [existing]);
  const collection = findCollection(operation) ?? server.catalogue.ensure(operation.db, collectionName(operation), transaction);
  const numIndexesBefore = collection.indexes.length;
  if (transaction !== null && existing !== undefined && collection.count() > 0) {
    throw new CommandError(263, 'Cannot create new indexes on non-empty collection in a multi-document transaction.');
  }
  for (const spec of specs) {
    if (isThere(collection.indexes, spec)) continue;
    try {
      collection.addIndex(spec);
    } catch (error) {
      // All of them or none.
      collection.indexes.splice(numIndexesBefore);
      throw error;
    }
  }
  const numIndexesAfter = collection.indexes.length;
  return {
    createdCollectionAutomatically: existing === undefined,
    numIndexesBefore,
    numIndexesAfter,
    ...(numIndexesAfter === numIndexesBefore ? { note: 'all indexes already exist' } : {}),
  };
}

async function dropIndexes(operation: Operation): Promise<Document> {
  const collection = mustFindCollection(operation);
  await waitForTransactions(operation, [collection]);
  const nIndexesWas = collection.indexes.length;
  const wanted = operation.command['index'];
  for (const name of Array.isArray(wanted) ? wanted : [wanted]) {
    if (name === '_id_') throw new CommandError(72, 'cannot drop _id index');
    if (name === '*') {
      collection.indexes.splice(1);
      continue;
    }
    const at = collection.indexes.findIndex((index) => (isDocument(name) ? isEqual(index.key, name) : index.name === name));
    if (at < 0) throw new CommandError(27, `index not found with name [${String(name)}]`);
    if (at === 0) throw new CommandError(72, 'cannot drop _id index');
    collection.indexes.splice(at, 1);
  }
  return { nIndexesWas };
}

function modifyIndex(collection: Collection, change: Document): Document {
  const index = collection.indexes.find(({ name, key }) =>
    isDocument(change['keyPattern']) ? isEqual(key, change['keyPattern']) : name === change['name'],
  );
  if (index === undefined) throw new CommandError(27, `cannot find index ${String(change['name'])} for ns ${collection.namespace}`);
  const unknown = Object.keys(change).find((name) => !['name', 'keyPattern', 'expireAfterSeconds'].includes(name));
  if (unknown !== undefined || !isNumber(change['expireAfterSeconds']))
    throw new CommandError(238, 'only expireAfterSeconds of an index can be changed');
  const before = index.expireAfterSeconds;
  index.expireAfterSeconds = numberOr(change['expireAfterSeconds'], 0);
  return { expireAfterSeconds_old: before ?? undefined, expireAfterSeconds_new: index.expireAfterSeconds };
}
