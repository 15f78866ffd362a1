import { expect, test } from 'vitest';
import { codeOf, useMongo } from './mongodb-scene.js';

const scene = useMongo();

test('collections are created, listed and dropped', async () => {
  await scene.db.createCollection('made', { validator: { name: { $type: 'string' } } });
  expect(await codeOf(scene.db.createCollection('made'))).toBe(48);
  expect(await codeOf(scene.db.collection('made').insertOne({ name: 1 }))).toBe(121);
  await scene.db.command({
    collMod: 'made',
    validator: { $jsonSchema: { bsonType: 'object', required: ['age'], properties: { age: { bsonType: 'int', minimum: 0 } } } },
  });
  expect(await codeOf(scene.db.collection('made').insertOne({ age: -1 }))).toBe(121);
  await scene.db.collection('made').insertOne({ age: 1 });
  await scene.db.createCollection('other');
  expect((await scene.db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort()).toEqual(['made', 'other']);
  expect(await scene.db.listCollections({ name: 'made' }).toArray()).toMatchObject([
    { name: 'made', type: 'collection', options: { validator: {} } },
  ]);
  await scene.db.dropCollection('made');
  await scene.db.dropCollection('made');
  expect(await scene.db.listCollections({ name: 'made' }).toArray()).toEqual([]);
});

test('a database exists while it has a collection', async () => {
  const name = `${scene.mongo.namePrefix}_short`;
  const listed = async (): Promise<string[]> =>
    (await scene.client.db('admin').admin().listDatabases({ nameOnly: true, filter: { name } })).databases.map((database) => database.name);
  expect(await listed()).toEqual([]);
  await scene.client.db(name).createCollection('c');
  expect(await listed()).toEqual([name]);
  await scene.client.db(name).dropDatabase();
  expect(await listed()).toEqual([]);
  await scene.client.db(name).dropDatabase();
});

test('names of databases are checked', async () => {
  const create = (name: string): Promise<number> =>
    codeOf(scene.client.db('admin').client?.db(name).command({ create: 'c' }) ?? Promise.resolve());
  await scene.client.db(`${scene.mongo.namePrefix}_Case`).createCollection('c');
  expect(await create(`${scene.mongo.namePrefix}_case`)).toBe(13297);
  expect(await create(scene.mongo.namePrefix.padEnd(64, 'x'))).toBe(73);
  expect(await create(scene.mongo.namePrefix.padEnd(63, 'x'))).toBe(0);
  expect(await codeOf(scene.db.command({ create: 'system.x' }))).toBe(73);
});

test('a unique index refuses a second', async () => {
  const users = scene.db.collection('users');
  expect(await users.createIndex({ email: 1 }, { unique: true })).toBe('email_1');
  await users.insertOne({ email: 'a' });
  const error = await users.insertOne({ email: 'a' }).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 11000, keyPattern: { email: 1 }, keyValue: { email: 'a' } });
  await users.insertOne({ email: 'b' });
  expect(await codeOf(users.updateOne({ email: 'b' }, { $set: { email: 'a' } }))).toBe(11000);
  await users.insertOne({});
  expect(await codeOf(users.insertOne({}))).toBe(11000);
  await users.deleteOne({ email: 'a' });
  await users.insertOne({ email: 'a' });
  expect(await codeOf(users.createIndex({ email: 1 }, { unique: true, name: 'again' }))).toBe(85);
  expect(await codeOf(users.createIndex({ other: 1 }, { name: 'email_1' }))).toBe(86);
  expect(await codeOf(users.createIndex({ email: 1 }, { name: 'email_1' }))).toBe(86);
  await users.createIndex({ email: 1 }, { unique: true });
  expect((await users.listIndexes().toArray()).map(({ name }) => name)).toEqual(['_id_', 'email_1']);
  await users.dropIndex('email_1');
  expect(await codeOf(users.dropIndex('email_1'))).toBe(27);
  await users.insertOne({ email: 'a' });
  expect(await codeOf(users.createIndex({ email: 1 }, { unique: true }))).toBe(11000);
  expect(await codeOf(scene.db.collection('nowhere').listIndexes().toArray())).toBe(26);
});

test('sparse and partial indexes cover what they say', async () => {
  const sparse = scene.db.collection('sparse');
  await sparse.createIndex({ a: 1 }, { unique: true, sparse: true });
  await sparse.insertMany([{}, {}, { a: 1 }]);
  expect(await codeOf(sparse.insertOne({ a: 1 }))).toBe(11000);
  const partial = scene.db.collection('partial');
  await partial.createIndex({ name: 1 }, { unique: true, partialFilterExpression: { status: 'active' } });
  await partial.insertMany([
    { name: 'x', status: 'gone' },
    { name: 'x', status: 'gone' },
    { name: 'x', status: 'active' },
  ]);
  expect(await codeOf(partial.updateOne({ status: 'gone' }, { $set: { status: 'active' } }))).toBe(11000);
});
