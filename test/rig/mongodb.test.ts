import { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { createTestMongo, mongoUrl } from './mongodb.js';

test('databases and users with the prefix are dropped, and no others', async () => {
  const [mine, other] = [await createTestMongo(), await createTestMongo()];
  const client = new MongoClient(mine.url);
  for (const { namePrefix } of [mine, other]) {
    await client.db(`${namePrefix}_a`).collection('c').insertOne({ at: 1 });
    await client.db(`${namePrefix}_a`).command({ createUser: 'app', pwd: 'x', roles: ['readWrite'] });
    await client.db('admin').command({ createUser: `${namePrefix}_u`, pwd: 'x', roles: [] });
  }
  const left = async (prefix: string): Promise<number> => {
    const { databases } = await client
      .db('admin')
      .admin()
      .listDatabases({ nameOnly: true, filter: { name: { $regex: `^${prefix}` } } });
    const { users } = await client.db('admin').command({ usersInfo: { forAllDBs: true } });
    return databases.length + users.filter((user: { user: string; db: string }) => `${user.user} ${user.db}`.includes(prefix)).length;
  };
  expect(await left(mine.namePrefix)).toBe(3);
  await mine.drop();
  expect(await left(mine.namePrefix)).toBe(0);
  expect(await left(other.namePrefix)).toBe(3);
  await other.drop();
  await client.close();
});

test('a URL is bound to a database, with the login of it', () => {
  const login = { user: 'a/b', password: 'p@w' };
  expect(mongoUrl('mongodb://root:pw@h:1/?directConnection=true&authSource=admin', 'acme', login)).toBe(
    'mongodb://a%2Fb:p%40w@h:1/acme?directConnection=true&authSource=acme',
  );
});
