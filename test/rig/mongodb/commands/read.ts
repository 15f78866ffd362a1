import type { Long } from 'bson';
import { CommandError } from '../errors.js';
import { newScope } from '../expressions.js';
import { compileFilter } from '../match.js';
import type { Operation } from '../operation.js';
import { valuesAt } from '../paths.js';
import { compilePipeline, type PipelineContext } from '../pipeline.js';
import { compileProjection, limitOf } from '../project.js';
import { compileSort } from '../sort.js';
import { type Document, integer, isDocument, isNumber, isTruthy, keyOf, numberOr, toNumber } from '../values.js';
import { type CommandTable, collectionName, findCollection, type Need, refuseOptions, toDatabase, toNobody } from './command.js';
import { describeOperations } from './operations.js';

function readDocuments(operation: Operation, name: string, filter: Document): Document[] {
  const collection = findCollection(operation, name);
  const matches = compileFilter(filter, operation.now, letOf(operation));
  return collection === undefined ? [] : [...collection.scan(filter, operation.transaction, matches)].map(([, document]) => document);
}

/** The variables that the command brings. */
export function letOf({ command }: Operation): Document {
  return (command['let'] ?? {}) as Document;
}

function batchSizeOf(value: unknown): number | null {
  return isNumber(value) ? numberOr(value, 0) : null;
}

export const readCommands: CommandTable = {
  find: { run: find, needs: toDatabase('find'), isForTransactions: true },
  aggregate: { run: aggregate, needs: aggregateNeeds, isForTransactions: true },
  count: {
    run: (operation) => {
      const { command } = operation;
      refuseOptions(command, 'collation');
      const found = readDocuments(operation, collectionName(operation), (command['query'] ?? {}) as Document).length;
      const skipped = Math.max(0, found - numberOr(command['skip'], 0));
      return { n: Math.min(skipped, limitOf(command['limit'])) };
    },
    needs: toDatabase('find'),
  },
  distinct: {
    run: (operation) => {
      const { command } = operation;
      refuseOptions(command, 'collation');
      const values = readDocuments(operation, collectionName(operation), (command['query'] ?? {}) as Document)
        .flatMap((document) => valuesAt(document, String(command['key'])))
        .flatMap((value) => (Array.isArray(value) ? value : [value]))
        .filter((value) => value !== undefined);
      return { values: [...new Map(values.map((value) => [keyOf(value), value])).values()] };
    },
    needs: toDatabase('find'),
    isForTransactions: true,
  },
  getMore: {
    run: ({ command, db, server, connection }) =>
      server.cursors.next(
        BigInt(toNumber(command['getMore'])),
        `${db}.${String(command['collection'])}`,
        batchSizeOf(command['batchSize']),
        connection.user,
      ),
    needs: toNobody,
    isForTransactions: true,
  },
  killCursors: {
    run: ({ command, server }) => {
      const ids = (command['cursors'] as Long[]).map((id) => ({ id, isKilled: server.cursors.kill(BigInt(toNumber(id))) }));
      const list = (isKilled: boolean): Long[] => ids.filter((item) => item.isKilled === isKilled).map((item) => item.id);
      return { cursorsKilled: list(true), cursorsNotFound: list(false), cursorsAlive: [], cursorsUnknown: [] };
    },
    needs: toNobody,
    isForTransactions: true,
  },
};

function find(operation: Operation): Document {
  const { command, server, session, connection } = operation;
  refuseOptions(command, 'collation', 'min', 'max', 'returnKey', 'showRecordId', 'tailable');
  const name = collectionName(operation);
  let documents = readDocuments(operation, name, (command['filter'] ?? {}) as Document);
  if (isDocument(command['sort']) && !('$natural' in command['sort'])) {
    documents = compileSort(command['sort'])(documents, (document) => document);
  } else if (isDocument(command['sort']) && numberOr(command['sort']['$natural'], 1) < 0) documents.reverse();
  const skip = numberOr(command['skip'], 0);
  documents = documents.slice(skip, skip + limitOf(command['limit']));
  if (isDocument(command['projection'])) {
    const project = compileProjection(command['projection'], 'find');
    documents = documents.map((document) => project(document, newScope(document, operation.now, letOf(operation))));
  }
  return server.cursors.open(
    `${operation.db}.${name}`,
    documents,
    batchSizeOf(command['batchSize']),
    { user: connection.user, session },
    isTruthy(command['singleBatch']),
  );
}

function aggregate(operation: Operation): Document {
  const { command, server, session, connection, db } = operation;
  refuseOptions(command, 'collation');
  if (isTruthy(command['explain'])) throw new CommandError(238, 'explain is not implemented');
  if (!isDocument(command['cursor']))
    throw new CommandError(9, "The 'cursor' option is required, except for aggregate with the explain argument");
  const isOfDatabase = isNumber(command['aggregate']);
  const name = isOfDatabase ? '$cmd.aggregate' : collectionName(operation);
  const run = compilePipeline(command['pipeline']);
  const context: PipelineContext = {
    now: operation.now,
    variables: letOf(operation),
    readCollection: (other) => readDocuments(operation, other, {}),
    readSource: (stage, argument) => readSource(operation, isOfDatabase, stage, argument),
  };
  const [first] = command['pipeline'] as Document[];
  if (isOfDatabase && !Object.keys(first ?? {}).some((stage) => ['$currentOp', '$listLocalSessions'].includes(stage))) {
    throw new CommandError(
      73,
      `{aggregate: 1} is not valid for '${Object.keys(first ?? {})[0] ?? 'an empty pipeline'}'; a collection is required.`,
    );
  }
  const isFiltered = first !== undefined && isDocument(first['$match']);
  // By an index where the pipeline begins with what can use one; it is matched once more by the pipeline itself.
  const hasVariables = JSON.stringify(first ?? null)?.includes('$$');
  const input = isOfDatabase ? [] : readDocuments(operation, name, isFiltered && !hasVariables ? (first['$match'] as Document) : {});
  const documents = [...run(input, context)];
  return server.cursors.open(`${db}.${name}`, documents, batchSizeOf(command['cursor']['batchSize']), { user: connection.user, session });
}

function readSource(operation: Operation, isOfDatabase: boolean, stage: string, argument: unknown): Iterable<Document> | null {
  if (stage === '$currentOp' && isOfDatabase && operation.db === 'admin')
    return describeOperations(operation, isDocument(argument) ? argument : {});
  if (stage === '$listLocalSessions' && isOfDatabase) return operation.server.sessions.list().map(({ id }) => ({ _id: { id } }));
  const collection = isOfDatabase ? undefined : findCollection(operation);
  if (stage === '$indexStats' && collection !== undefined) return collection.indexes.map(({ name, key, spec }) => ({ name, key, spec }));
  if (stage === '$collStats' && collection !== undefined && isDocument(argument) && 'count' in argument)
    return [{ ns: collection.namespace, count: integer(collection.count()) }];
  return null;
}

function aggregateNeeds(operation: Operation): readonly Need[] {
  const pipeline = Array.isArray(operation.command['pipeline']) ? (operation.command['pipeline'] as Document[]) : [];
  if (pipeline[0] !== undefined && '$currentOp' in pipeline[0]) {
    return isTruthy((pipeline[0]['$currentOp'] as Document)['allUsers']) ? [['inprog', null]] : [];
  }
  return [['find', operation.db]];
}
