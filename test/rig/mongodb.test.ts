import { type Db, MongoClient, ObjectId } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestMongo, type TestMongo } from './mongodb.js';

let mongo: TestMongo;
let client: MongoClient;
let db: Db;

beforeAll(async () => {
  mongo = await createTestMongo();
  client = new MongoClient(mongo.url);
  db = client.db(`${mongo.namePrefix}_main`);
});

afterAll(async () => {
  await client.close();
  await mongo.drop();
});

test('documents are inserted, found, changed and removed', async () => {
  const people = db.collection('people');
  const { insertedId } = await people.insertOne({ name: 'Ada', tags: ['a'], address: { city: 'London' }, at: new Date(0) });
  await people.insertMany([
    { name: 'Bob', age: 5 },
    { name: 'Cid', age: 50 },
  ]);
  expect(insertedId).toBeInstanceOf(ObjectId);
  expect(await people.findOne({ 'address.city': 'London' })).toMatchObject({ _id: insertedId, name: 'Ada', at: new Date(0) });
  expect(await people.find({ age: { $gte: 5 } }, { sort: { age: -1 }, projection: { _id: 0, name: 1 } }).toArray()).toEqual([
    { name: 'Cid' },
    { name: 'Bob' },
  ]);
  expect(await people.updateOne({ name: 'Bob' }, { $inc: { age: 1 }, $set: { 'address.city': 'Rome' } })).toMatchObject({
    matchedCount: 1,
    modifiedCount: 1,
  });
  expect(await people.findOneAndUpdate({ name: 'Bob' }, { $push: { tags: 'x' as never } }, { returnDocument: 'after' })).toMatchObject({
    age: 6,
    tags: ['x'],
    address: { city: 'Rome' },
  });
  expect(await people.countDocuments()).toBe(3);
  expect((await people.deleteMany({ age: { $exists: true } })).deletedCount).toBe(2);
});
