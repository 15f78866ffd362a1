import { expect, test } from 'vitest';
import { mongoUrl } from './mongodb.js';
import { codeOf, useMongo } from './mongodb-scene.js';

const scene = useMongo();
const login = { user: 'app', password: 'secret-1' };

async function makeTenant(name: string, role = 'readWrite'): Promise<string> {
  const database = `${scene.mongo.namePrefix}_${name}`;
  await scene.client.db(database).collection('c').insertOne({ of: name });
  await scene.client.db(database).command({ createUser: login.user, pwd: login.password, roles: [role] });
  return database;
}

test('a user sees its own database and is refused on the next', async () => {
  const [acme, other] = [await makeTenant('acme'), await makeTenant('other')];
  const client = scene.connect(mongoUrl(scene.mongo.url, acme, login));
  expect(await client.db(acme).collection('c').countDocuments()).toBe(1);
  await client.db(acme).collection('c').createIndex({ of: 1 });
  expect(await codeOf(client.db(other).collection('c').findOne())).toBe(13);
  expect(await codeOf(client.db(other).collection('c').insertOne({}))).toBe(13);
  expect(
    await codeOf(
      client
        .db(acme)
        .aggregate([{ $lookup: { from: 'c', pipeline: [], as: 'x' } }])
        .toArray(),
    ),
  ).toBe(73);
  expect(await codeOf(client.db(acme).dropDatabase())).toBe(13);
  expect(await codeOf(client.db('admin').command({ serverStatus: 1 }))).toBe(13);
  expect(await codeOf(client.db(acme).command({ createUser: 'x', pwd: 'x', roles: [] }))).toBe(13);
  expect((await client.db().admin().listDatabases({ nameOnly: true })).databases).toEqual([{ name: acme }]);
  expect((await client.db(acme).command({ connectionStatus: 1 }))['authInfo'].authenticatedUsers).toEqual([{ user: 'app', db: acme }]);
});

test('nobody and a wrong password are refused', async () => {
  const database = await makeTenant('closed');
  const anonymous = new URL(scene.mongo.url);
  anonymous.username = '';
  anonymous.password = '';
  anonymous.searchParams.delete('authSource');
  expect(await codeOf(scene.connect(anonymous.href).db(database).collection('c').findOne())).toBe(13);
  const wrong = scene.connect(mongoUrl(scene.mongo.url, database, { ...login, password: 'wrong' }));
  expect(await codeOf(wrong.db(database).collection('c').findOne())).toBe(18);
  const unknown = scene.connect(mongoUrl(scene.mongo.url, database, { ...login, user: 'nobody' }));
  expect(await codeOf(unknown.db(database).collection('c').findOne())).toBe(18);
});

test('roles and passwords change at once, a dropped user loses its connections', async () => {
  const database = await makeTenant('changing', 'read');
  const db = scene.client.db(database);
  const client = scene.connect(mongoUrl(scene.mongo.url, database, login));
  const own = client.db(database).collection('c');
  expect(await codeOf(own.insertOne({}))).toBe(13);
  await db.command({ grantRolesToUser: 'app', roles: ['readWrite'] });
  expect(await codeOf(own.insertOne({}))).toBe(0);
  await db.command({ revokeRolesFromUser: 'app', roles: ['readWrite'] });
  expect(await codeOf(own.insertOne({}))).toBe(13);
  expect((await db.command({ usersInfo: 'app' }))['users']).toMatchObject([
    { user: 'app', db: database, roles: [{ role: 'read', db: database }] },
  ]);
  await db.command({ updateUser: 'app', pwd: 'secret-2', roles: [{ role: 'dbOwner', db: database }] });
  const again = scene.connect(mongoUrl(scene.mongo.url, database, { ...login, password: 'secret-2' }));
  await again.db(database).createCollection('d');
  expect(
    await codeOf(
      scene
        .connect(mongoUrl(scene.mongo.url, database, login))
        .db(database)
        .collection('c')
        .findOne(),
    ),
  ).toBe(18);
  await db.dropDatabase();
  expect((await db.command({ usersInfo: 1 }))['users']).toHaveLength(1);
  expect(await db.command({ dropAllUsersFromDatabase: 1 })).toMatchObject({ n: 1 });
  expect(await codeOf(own.findOne())).toBe(13);
  expect(await codeOf(db.command({ dropUser: 'app' }))).toBe(11);
  expect(await codeOf(db.command({ createUser: 'x', pwd: 'x', roles: ['nope'] }))).toBe(31);
  await db.command({ createUser: 'x', pwd: 'x', roles: [] });
  expect(await codeOf(db.command({ createUser: 'x', pwd: 'x', roles: [] }))).toBe(51003);
});
