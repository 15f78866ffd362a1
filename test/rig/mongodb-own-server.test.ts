import type { MongoServerError } from 'mongodb';
import { expect, test } from 'vitest';
import { codeOf, useMongo } from './mongodb-scene.js';

const scene = useMongo('own');

test('a fail point fails a command as often as it says, for its application alone', async () => {
  const appName = `${scene.mongo.namePrefix}_fail`;
  const admin = scene.client.db('admin');
  const rows = scene.connect(undefined, { appName, retryReads: false, retryWrites: false }).db(scene.db.databaseName).collection('failing');
  const fail = async (data: object, mode: unknown = { times: 1 }): Promise<void> =>
    void (await admin.command({ configureFailPoint: 'failCommand', mode, data: { appName, ...data } }));
  await rows.insertOne({});
  await fail({ failCommands: ['find'], errorCode: 11600, errorLabels: ['Mine'] });
  const error = await rows.findOne().catch((caught: unknown) => caught as MongoServerError);
  expect(error).toMatchObject({ code: 11600 });
  expect((error as MongoServerError).hasErrorLabel('Mine')).toBe(true);
  expect(await rows.findOne()).not.toBeNull();
  await fail({ failCommands: ['insert'], closeConnection: true });
  await expect(rows.insertOne({})).rejects.toThrow(/connection.*closed/);
  await fail({ failCommands: ['insert'], writeConcernError: { code: 91, errmsg: 'made up' } });
  await expect(rows.insertOne({})).rejects.toMatchObject({ code: 91 });
  expect(await rows.countDocuments()).toBe(2);
  await fail({ failCommands: ['find'], errorCode: 8 }, 'alwaysOn');
  expect(await codeOf(rows.findOne())).toBe(8);
  expect(await codeOf(rows.findOne())).toBe(8);
  await fail({}, 'off');
  const startedAt = Date.now();
  await fail({ failCommands: ['find'], blockConnection: true, blockTimeMS: 200 });
  await rows.findOne();
  expect(Date.now() - startedAt).toBeGreaterThanOrEqual(190);
});

test('a client that retries gets over a fail point', async () => {
  const appName = `${scene.mongo.namePrefix}_retry`;
  const data = { appName, failCommands: ['insert', 'find'], closeConnection: true };
  const rows = scene.connect(undefined, { appName }).db(scene.db.databaseName).collection('retrying');
  await scene.client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times: 1 }, data });
  await rows.insertOne({ a: 1 });
  await scene.client
    .db('admin')
    .command({ configureFailPoint: 'failCommand', mode: { times: 1 }, data: { ...data, closeConnection: false, errorCode: 189 } });
  await rows.insertOne({ a: 2 });
  expect(await rows.countDocuments()).toBe(2);
});

test('a TTL index removes what is over', async () => {
  const admin = scene.client.db('admin');
  const { was } = await admin.command({ setParameter: 1, ttlMonitorSleepSecs: 1 });
  const sessions = scene.db.collection<{ _id: number }>('sessions');
  await sessions.createIndex({ at: 1 }, { expireAfterSeconds: 10 });
  await sessions.insertMany([{ _id: 1, at: new Date(0) }, { _id: 2, at: new Date() }, { _id: 3 }] as never);
  // The monitor may be in the long pause that it began with.
  await expect.poll(() => sessions.countDocuments(), { timeout: 50_000, interval: 100 }).toBe(2);
  await admin.command({ setParameter: 1, ttlMonitorSleepSecs: was });
});

test('an idle transaction, whose client may be gone, ends at its time limit', async () => {
  const admin = scene.client.db('admin');
  const rows = scene.db.collection<{ _id: number }>('idle');
  await rows.insertOne({ _id: 1 });
  const { was } = await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: 1 });
  const gone = scene.connect();
  const session = gone.startSession();
  session.startTransaction();
  await gone
    .db(scene.db.databaseName)
    .collection<{ _id: number }>('idle')
    .updateOne({ _id: 1 }, { $set: { held: true } }, { session });
  // Waits for the transaction's end, which nobody but the server brings about.
  await rows.updateOne({ _id: 1 }, { $set: { free: true } });
  expect(await rows.findOne()).toEqual({ _id: 1, free: true });
  expect(await codeOf(session.commitTransaction())).toBe(251);
  await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: was });
});

test("updates go by the server's clock, not the client's", async (context) => {
  if (!scene.mongo.isStandIn) return context.skip('the clock of a real server is not to be set');
  const admin = scene.client.db('admin');
  await admin.command({ setParameter: 1, standInClockSkewMs: 3_600_000 });
  const rows = scene.db.collection<{ _id: number; at?: Date; now?: Date }>('clock');
  await rows.insertOne({ _id: 1 });
  await rows.updateOne({ _id: 1 }, { $currentDate: { at: true } });
  await rows.updateOne({ _id: 1 }, [{ $set: { now: '$$NOW' } }]);
  const { at, now } = (await rows.findOne()) ?? {};
  const { localTime } = await admin.command({ hello: 1 });
  for (const time of [at, now, localTime]) expect(Math.abs(Number(time) - Date.now() - 3_600_000)).toBeLessThan(60_000);
  expect(await rows.countDocuments({ $expr: { $gt: ['$$NOW', { $add: ['$now', -1] }] } })).toBe(1);
  await admin.command({ setParameter: 1, standInClockSkewMs: 0 });
});
