import type { ClientSession, CommandStartedEvent, Document, MongoClient, MongoServerError } from 'mongodb';
import { expect, test } from 'vitest';
import { mongoUrl } from './mongodb.js';
import { codeOf, useMongo } from './mongodb-scene.js';

const scene = useMongo();

async function inTransaction(use: (session: ClientSession) => Promise<void>): Promise<void> {
  const session = scene.client.startSession();
  try {
    session.startTransaction();
    await use(session);
  } finally {
    await session.endSession();
  }
}

test('an aborted transaction leaves nothing, a committed one all', async () => {
  const rows = scene.db.collection<{ _id: number; n: number }>('rows');
  await rows.insertMany([
    { _id: 1, n: 1 },
    { _id: 2, n: 1 },
  ]);
  const change = async (session: ClientSession): Promise<void> => {
    await rows.insertOne({ _id: 3, n: 1 }, { session });
    await rows.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    await rows.deleteOne({ _id: 2 }, { session });
    expect((await rows.find({}, { session }).toArray()).map((row) => [row._id, row.n])).toEqual([
      [1, 2],
      [3, 1],
    ]);
    expect((await rows.find().toArray()).map((row) => [row._id, row.n])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  };
  await inTransaction(async (session) => {
    await change(session);
    await session.abortTransaction();
  });
  expect((await rows.find().toArray()).map((row) => [row._id, row.n])).toEqual([
    [1, 1],
    [2, 1],
  ]);
  await inTransaction(async (session) => {
    await change(session);
    await session.commitTransaction();
  });
  expect((await rows.find().toArray()).map((row) => [row._id, row.n])).toEqual([
    [1, 2],
    [3, 1],
  ]);
});

test('two transactions on one document: the second is refused, and may be tried again', async () => {
  const rows = scene.db.collection<{ _id: number; n: number }>('conflicts');
  await rows.createIndex({ u: 1 }, { unique: true, sparse: true });
  await rows.insertOne({ _id: 1, n: 0 });
  await inTransaction(async (first) => {
    await rows.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session: first });
    await inTransaction(async (second) => {
      const error = await rows
        .updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session: second })
        .catch((caught: unknown) => caught as MongoServerError);
      expect(error).toMatchObject({ code: 112 });
      expect((error as MongoServerError).hasErrorLabel('TransientTransactionError')).toBe(true);
      expect(await codeOf(rows.findOne({}, { session: second }))).toBe(251);
      await second.abortTransaction();
    });
    await first.commitTransaction();
  });
  expect(await rows.findOne()).toMatchObject({ n: 1 });
});

test('a snapshot does not see what came after, and may not write over it', async () => {
  const rows = scene.db.collection<{ _id: number; n: number }>('snapshots');
  await rows.insertMany([
    { _id: 1, n: 0 },
    { _id: 2, n: 0 },
  ]);
  await inTransaction(async (session) => {
    expect(await rows.findOne({ _id: 1 }, { session })).toMatchObject({ n: 0 });
    await rows.updateOne({ _id: 1 }, { $set: { n: 5 } });
    await rows.deleteOne({ _id: 2 });
    await rows.insertOne({ _id: 3, n: 0 });
    expect((await rows.find({}, { session, sort: { _id: 1 } }).toArray()).map((row) => [row._id, row.n])).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect(await codeOf(rows.updateOne({ _id: 1 }, { $set: { n: 6 } }, { session }))).toBe(112);
    await session.abortTransaction();
  });
  expect((await rows.find({}, { sort: { _id: 1 } }).toArray()).map((row) => [row._id, row.n])).toEqual([
    [1, 5],
    [3, 0],
  ]);
});

test('a write outside waits for the transaction that holds the document', async () => {
  const rows = scene.db.collection<{ _id: number; n: number }>('waits');
  await rows.insertOne({ _id: 1, n: 0 });
  await inTransaction(async (session) => {
    await rows.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    expect(await codeOf(rows.updateOne({ _id: 1 }, { $inc: { n: 10 } }, { maxTimeMS: 100 }))).toBe(50);
    const outside = rows.updateOne({ _id: 1 }, { $inc: { n: 10 } });
    await session.commitTransaction();
    await outside;
  });
  expect(await rows.findOne()).toMatchObject({ n: 11 });
});

test('an error ends the transaction, and what has no place in one is refused', async () => {
  const rows = scene.db.collection<{ _id: number }>('errors');
  await rows.insertOne({ _id: 1 });
  await inTransaction(async (session) => {
    await rows.insertOne({ _id: 2 }, { session });
    expect(await codeOf(rows.insertOne({ _id: 1 }, { session }))).toBe(11000);
    expect(await codeOf(rows.insertOne({ _id: 3 }, { session }))).toBe(251);
  });
  expect(await rows.countDocuments()).toBe(1);
  await inTransaction(async (session) => {
    await rows.insertOne({ _id: 2 }, { session });
    expect(await codeOf(scene.db.command({ drop: 'errors' }, { session }))).toBe(263);
  });
});

test('a killed session loses its transaction', async () => {
  const rows = scene.db.collection<{ _id: number }>('killed');
  await rows.insertOne({ _id: 1 });
  await inTransaction(async (session) => {
    await rows.deleteOne({ _id: 1 }, { session });
    const outside = rows.updateOne({ _id: 1 }, { $set: { free: true } } as never);
    await scene.client.db('admin').command({ killSessions: [session.id] });
    expect(await outside).toMatchObject({ modifiedCount: 1 });
    expect(await codeOf(session.commitTransaction())).toBe(251);
  });
});

test('the same retryable write is applied once', async () => {
  const client = scene.connect(undefined, { monitorCommands: true });
  const sent: CommandStartedEvent[] = [];
  client.on('commandStarted', (event) => sent.push(event));
  const rows = client.db(scene.db.databaseName).collection<{ _id: number; n: number }>('retries');
  await rows.insertOne({ _id: 1, n: 0 });
  await rows.updateOne({ _id: 1 }, { $inc: { n: 1 } });
  const { lsid, txnNumber, updates } = (sent.findLast((event) => event.commandName === 'update')?.command ?? {}) as Record<string, unknown>;
  // Sent again as a client does that never saw the answer; the session's id is the client's own affair.
  const session = client.startSession();
  (session as unknown as { serverSession: { id: unknown } }).serverSession.id = lsid;
  const again = await client.db(scene.db.databaseName).command({ update: 'retries', updates, txnNumber }, { session });
  expect(again).toMatchObject({ n: 1, nModified: 1 });
  expect(await rows.findOne()).toMatchObject({ n: 1 });
});

test('an idle transaction is seen by its application, and killed by its user alone', async () => {
  const appName = `${scene.mongo.namePrefix}_idle`;
  await scene.db.command({ createUser: 'one', pwd: 'x', roles: ['readWrite'] });
  await scene.db.command({ createUser: 'two', pwd: 'x', roles: ['readWrite'] });
  const as = (user: string): MongoClient =>
    scene.connect(mongoUrl(scene.mongo.url, scene.db.databaseName, { user, password: 'x' }), { appName });
  const [one, again, two] = [as('one'), as('one'), as('two')];
  const rows = one.db().collection<{ _id: number }>('left');
  const session = one.startSession();
  session.startTransaction();
  await rows.insertOne({ _id: 1 }, { session });
  const idle = (client: MongoClient): Promise<Document[]> =>
    client
      .db('admin')
      .aggregate([{ $currentOp: { idleSessions: true } }, { $match: { type: 'idleSession', appName } }])
      .toArray();
  expect(await idle(two)).toEqual([]);
  const [found] = await idle(again);
  expect(found).toMatchObject({ transaction: { timeInactiveMicros: expect.any(Number) } });
  expect(
    await codeOf(
      two
        .db('admin')
        .command({ killSessions: [{ id: found?.['lsid'].id }] })
        .then(() => session.commitTransaction()),
    ),
  ).toBe(0);
  session.startTransaction();
  await rows.insertOne({ _id: 2 }, { session });
  await again.db('admin').command({ killSessions: [{ id: found?.['lsid'].id }] });
  expect(await codeOf(session.commitTransaction())).toBe(251);
  session.startTransaction();
  await rows.insertOne({ _id: 3 }, { session });
  await scene.client.db('admin').command({ killAllSessions: [{ user: 'one', db: scene.db.databaseName }] });
  expect(await codeOf(session.commitTransaction())).toBe(251);
  await session.endSession();
  const { authInfo } = await one.db().command({ connectionStatus: 1, showPrivileges: true });
  const [privilege] = authInfo.authenticatedUserPrivileges as { resource: Document; actions: string[] }[];
  expect(privilege).toMatchObject({
    resource: { db: scene.db.databaseName, collection: '' },
    actions: expect.arrayContaining(['find', 'insert']),
  });
});
