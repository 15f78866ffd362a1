import { Binary, ObjectId } from 'mongodb';
import { expect, test } from 'vitest';
import { codeOf, useMongo } from './mongodb-scene.js';

const scene = useMongo();

test('it is the primary of a replica set, with sessions and an identity', async () => {
  const admin = scene.client.db('admin');
  expect(await admin.command({ hello: 1 })).toMatchObject({
    isWritablePrimary: true,
    setName: expect.any(String),
    logicalSessionTimeoutMinutes: 30,
  });
  expect((await admin.command({ buildInfo: 1 }))['versionArray']).toHaveLength(4);
  const { config } = await admin.command({ replSetGetConfig: 1 });
  expect(config.settings.replicaSetId).toBeInstanceOf(ObjectId);
  expect((await admin.command({ replSetGetStatus: 1 }))['myState']).toBe(1);
  expect(await codeOf(scene.db.command({ noSuchCommand: 1 }))).toBe(59);
});

test('the server counts its connections', async () => {
  const current = async (): Promise<number> => (await scene.client.db('admin').command({ serverStatus: 1 }))['connections'].current;
  const before = await current();
  const client = scene.connect(undefined, { minPoolSize: 5 });
  await client.connect();
  await expect.poll(current, { timeout: 10_000 }).toBeGreaterThanOrEqual(before + 5);
  await client.close();
});

test('a running operation is seen by its application, and killed', async () => {
  const admin = scene.client.db('admin');
  const appName = `${scene.mongo.namePrefix}_slow`;
  const slow = codeOf(scene.connect(undefined, { appName }).db('admin').command({ sleep: 1, millis: 60_000, lock: 'none' }));
  const running = async (): Promise<{ opid: number }[]> =>
    (await admin
      .aggregate([{ $currentOp: { allUsers: true } }, { $match: { appName, active: true, 'command.sleep': 1 } }])
      .toArray()) as never;
  await expect.poll(running).toHaveLength(1);
  const [operation] = await running();
  await admin.command({ killOp: 1, op: operation?.opid });
  expect(await slow).toBe(11601);
});

test('an operation ends at its time limit', async () => {
  expect(await codeOf(scene.client.db('admin').command({ sleep: 1, millis: 60_000, lock: 'none', maxTimeMS: 50 }))).toBe(50);
});

test('what a client was doing ends with its connection', async () => {
  const appName = `${scene.mongo.namePrefix}_gone`;
  const client = scene.connect(undefined, { appName });
  const slow = client
    .db('admin')
    .command({ sleep: 1, millis: 60_000, lock: 'none' })
    .catch(() => undefined);
  const running = async (): Promise<unknown[]> =>
    scene.client
      .db('admin')
      .aggregate([{ $currentOp: { allUsers: true } }, { $match: { appName, 'command.sleep': 1 } }])
      .toArray();
  await expect.poll(running).toHaveLength(1);
  await client.close(true);
  await slow;
  await expect.poll(running, { timeout: 10_000 }).toHaveLength(0);
});

test('a write that asks for no answer is carried out', async () => {
  const rows = scene.db.collection('unacknowledged');
  await rows.insertOne({ a: 1 }, { writeConcern: { w: 0 } });
  await expect.poll(() => rows.countDocuments()).toBe(1);
});

test('concerns are accepted, and one that cannot be met is said', async () => {
  const rows = scene.db.collection('concerns', { writeConcern: { w: 'majority', wtimeoutMS: 5000 }, readConcern: { level: 'majority' } });
  await rows.insertOne({ data: new Binary(Buffer.from('x')) });
  expect(await rows.countDocuments()).toBe(1);
  await expect(scene.db.collection('concerns').insertOne({}, { writeConcern: { w: 3, wtimeoutMS: 100 } })).rejects.toMatchObject({
    code: 100,
  });
});

test('what is misspelt is refused, not ignored', async () => {
  expect(await codeOf(scene.db.command({ find: 'c', filtre: {} }))).toBe(40415);
  expect(await codeOf(scene.db.command({ update: 'c', updates: [{ q: {}, u: {}, upsrt: true }] }))).toBe(40415);
});
