import { calculateObjectSize, ObjectId } from 'bson';
import type { Collection } from '../collection.js';
import { CommandError } from '../errors.js';
import { newScope } from '../expressions.js';
import { compileFilter } from '../match.js';
import type { Operation } from '../operation.js';
import { compileProjection } from '../project.js';
import { compileSort } from '../sort.js';
import { compileUpdate, isSameDocument, isUpsert, type UpdateContext, upsertBase } from '../update.js';
import { type Document, integer, isDocument, isTruthy, keyOf, numberOr, typeOf } from '../values.js';
import { maxDocumentBytes } from '../wire.js';
import { type CommandTable, collectionName, findCollection, type Need, refuseOptions, toDatabase } from './command.js';
import { letOf } from './read.js';
import { type Result, runStatements } from './statements.js';

export const writeCommands: CommandTable = {
  insert: {
    run: (operation) => runStatements(operation, 'documents', (document) => insert(operation, document)),
    needs: toDatabase('insert'),
    isForTransactions: true,
  },
  update: {
    run: (operation) => runStatements(operation, 'updates', (statement) => update(operation, statement)),
    needs: ({ command, db }) => [
      ['update', db],
      ...((command['updates'] as Document[]).some(isUpsert) ? ([['insert', db]] as Need[]) : []),
    ],
    isForTransactions: true,
  },
  delete: {
    run: (operation) => runStatements(operation, 'deletes', (statement) => remove(operation, statement)),
    needs: toDatabase('remove'),
    isForTransactions: true,
  },
  findAndModify: { run: findAndModify, needs: modifyNeeds, isForTransactions: true },
  findandmodify: { run: findAndModify, needs: modifyNeeds, isForTransactions: true },
};

function modifyNeeds({ command, db }: Operation): readonly Need[] {
  if (isTruthy(command['remove']))
    return [
      ['find', db],
      ['remove', db],
    ];
  return [['find', db], ['update', db], ...(isUpsert(command) ? ([['insert', db]] as Need[]) : [])];
}

/** The collection to write to, made where it isn't there. */
function ensureCollection(operation: Operation): Collection {
  return findCollection(operation) ?? operation.server.catalogue.ensure(operation.db, collectionName(operation), operation.transaction);
}

async function insert(operation: Operation, given: Document): Promise<Result> {
  const size = calculateObjectSize(given);
  // A document may be a little larger while it is on its way within the server.
  if (size > maxDocumentBytes + 16_384)
    throw new CommandError(10334, `BSONObj size: ${size} is invalid. Size must be between 0 and ${maxDocumentBytes + 16_384}`);
  if (size > maxDocumentBytes)
    throw new CommandError(2, `object to insert too large. size in bytes: ${size}, max size: ${maxDocumentBytes}`);
  const document = withId(given);
  const collection = ensureCollection(operation);
  await operation.unblocked(() =>
    collection.insert(document, operation.transaction, isTruthy(operation.command['bypassDocumentValidation'])),
  );
  return { n: 1 };
}

function withId(document: Document): Document {
  const { _id: id = new ObjectId(), ...rest } = document;
  if (['array', 'regex'].includes(typeOf(id))) throw new CommandError(53, `The '_id' value cannot be of type ${typeOf(id)}`);
  if (isDocument(id) && Object.keys(id).some((name) => name.startsWith('$')))
    throw new CommandError(52, '_id fields may not contain $-prefixed fields');
  return { _id: id, ...rest };
}

interface Change {
  readonly filter: Document;
  readonly update: unknown;
  readonly statement: Document;
}

/** The document before and after; before is null where it was inserted. */
type Changed = { readonly before: Document | null; readonly after: Document };

async function update(operation: Operation, statement: Document): Promise<Result> {
  refuseOptions(statement, 'collation');
  const change = { filter: statement['q'] as Document, update: statement['u'], statement };
  if (!isTruthy(statement['multi'])) {
    const changed = await changeFirst(operation, change);
    if (changed === null) return { n: 0, nModified: 0 };
    if (changed.before === null) return { n: 1, nModified: 0, upserted: { _id: changed.after['_id'] } };
    return { n: 1, nModified: isSameDocument(changed.before, changed.after) ? 0 : 1 };
  }
  if (compileUpdate(change.update).isReplacement) throw new CommandError(9, 'multi update is not supported for replacement-style update');
  const collection = findCollection(operation);
  const matches = compileFilter(change.filter, operation.now, variablesOf(operation, statement));
  let [n, nModified] = [0, 0];
  for (const [key] of collection === undefined ? [] : [...collection.scan(change.filter, operation.transaction, matches)]) {
    const changed = await operation.unblocked(() => {
      const document = (collection as Collection).get(key, operation.transaction);
      return document !== null && matches(document) ? writeChange(operation, collection as Collection, key, document, change) : null;
    });
    if (changed === null) continue;
    n += 1;
    if (!isSameDocument(changed.before as Document, changed.after)) nModified += 1;
  }
  if (n > 0 || !isUpsert(statement)) return { n, nModified };
  const { after } = await operation.unblocked(() => upsert(operation, change));
  return { n: 1, nModified: 0, upserted: { _id: after['_id'] } };
}

/** Looks anew after each wait: what was found may be gone then, or match no longer. */
async function changeFirst(operation: Operation, change: Change): Promise<Changed | null> {
  compileUpdate(change.update);
  return operation.unblocked(() => {
    const found = findFirst(operation, change.filter, change.statement['sort']);
    if (found !== null) return writeChange(operation, found.collection, found.key, found.document, change);
    return isUpsert(change.statement) ? upsert(operation, change) : null;
  });
}

function findFirst(
  operation: Operation,
  filter: Document,
  sort: unknown,
): { collection: Collection; key: string; document: Document } | null {
  const collection = findCollection(operation);
  const matches = compileFilter(filter, operation.now, letOf(operation));
  if (collection === undefined) return null;
  const found = collection.scan(filter, operation.transaction, matches);
  let first: readonly [string, Document] | undefined;
  if (isDocument(sort) && Object.keys(sort).length > 0) {
    first = compileSort(sort)([...found], ([, document]) => document)[0];
  } else
    for (const entry of found) {
      first = entry;
      break;
    }
  return first === undefined ? null : { collection, key: first[0], document: first[1] };
}

function writeChange(operation: Operation, collection: Collection, key: string, before: Document, change: Change): Changed {
  const after = compileUpdate(change.update).apply(before, updateContext(operation, change, false));
  // One that changes nothing writes nothing, yet waits for who holds the document.
  if (isSameDocument(before, after)) collection.checkFree(key, operation.transaction);
  else collection.write(key, after, operation.transaction, isTruthy(operation.command['bypassDocumentValidation']));
  return { before, after };
}

function upsert(operation: Operation, change: Change): Changed {
  const base = upsertBase(change.filter);
  const { isReplacement, apply } = compileUpdate(change.update);
  const start = isReplacement ? ('_id' in base ? { _id: base['_id'] } : {}) : base;
  const made = apply(start, updateContext(operation, change, true));
  if ('_id' in base && keyOf(base['_id']) !== keyOf(made['_id']))
    throw new CommandError(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
  const after = withId(made);
  ensureCollection(operation).insert(after, operation.transaction, isTruthy(operation.command['bypassDocumentValidation']));
  return { before: null, after };
}

function variablesOf(operation: Operation, statement: Document): Document {
  return { ...letOf(operation), ...((statement['c'] ?? {}) as Document) };
}

function updateContext(operation: Operation, change: Change, isInsert: boolean): UpdateContext {
  return {
    now: operation.now,
    filter: change.filter,
    arrayFilters: (change.statement['arrayFilters'] ?? []) as Document[],
    variables: variablesOf(operation, change.statement),
    isInsert,
  };
}

async function remove(operation: Operation, statement: Document): Promise<Result> {
  refuseOptions(statement, 'collation');
  const filter = statement['q'] as Document;
  if (numberOr(statement['limit'], 0) === 1) return { n: (await removeFirst(operation, filter, undefined)) === null ? 0 : 1 };
  const collection = findCollection(operation);
  const matches = compileFilter(filter, operation.now, letOf(operation));
  let n = 0;
  for (const [key] of collection === undefined ? [] : [...collection.scan(filter, operation.transaction, matches)]) {
    n += await operation.unblocked(() => {
      const document = (collection as Collection).get(key, operation.transaction);
      if (document === null || !matches(document)) return 0;
      (collection as Collection).write(key, null, operation.transaction);
      return 1;
    });
  }
  return { n };
}

function removeFirst(operation: Operation, filter: Document, sort: unknown): Promise<Document | null> {
  return operation.unblocked(() => {
    const found = findFirst(operation, filter, sort);
    found?.collection.write(found.key, null, operation.transaction);
    return found?.document ?? null;
  });
}

async function findAndModify(operation: Operation): Promise<Document> {
  const { command, done } = operation;
  refuseOptions(command, 'collation');
  collectionName(operation);
  const before = done?.get(0);
  if (before !== undefined) return { ...before, retriedStmtId: integer(0) };
  const filter = (command['query'] ?? {}) as Document;
  const project = compileProjection(command['fields'] ?? {}, 'find');
  const show = (document: Document | null): Document | null =>
    document === null ? null : project(document, newScope(document, operation.now, letOf(operation)));
  let reply: Document;
  if (isTruthy(command['remove'])) {
    if (command['update'] !== undefined || isTruthy(command['new']))
      throw new CommandError(9, "Cannot specify both an 'update' or 'new' and 'remove'=true");
    const removed = await removeFirst(operation, filter, command['sort']);
    reply = { lastErrorObject: { n: removed === null ? 0 : 1 }, value: show(removed) };
  } else {
    if (command['update'] === undefined) throw new CommandError(9, 'Either an update or remove=true must be specified');
    const changed = await changeFirst(operation, { filter, update: command['update'], statement: command });
    const inserted = changed !== null && changed.before === null ? { upserted: changed.after['_id'] } : {};
    const lastErrorObject = { n: changed === null ? 0 : 1, updatedExisting: changed !== null && changed.before !== null, ...inserted };
    reply = { lastErrorObject, value: show(changed === null ? null : isTruthy(command['new']) ? changed.after : changed.before) };
  }
  done?.set(0, reply);
  return reply;
}
