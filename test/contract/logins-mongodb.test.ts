import { MongoClient } from 'mongodb';
import { openClusterEngine } from '../../src/drivers/index.js';
import { createTestMongo } from '../rig/mongodb.js';
import { describeLogins, type LoggedIn, type LoginsUnderTest } from './logins-suite.js';

async function open(): Promise<LoginsUnderTest> {
  const mongo = await createTestMongo();
  const engine = await openClusterEngine({
    cluster: 'main',
    url: mongo.url,
    maxConnections: 3,
    extensionsSchema: 'extensions',
    applicationName: 'logins',
  });
  const driver = engine.driver('mongodb-database');
  const root = await new MongoClient(mongo.url).connect();
  return {
    engine,
    driver,
    name: (suffix) => `${mongo.namePrefix}_${suffix}`,
    put: async (target, table, value) => {
      await root.db(target.name).collection(table).insertOne({ value });
    },
    open: logIn,
    createStranger: async (target, user) => {
      await root.db(target.name).command({ createUser: user, pwd: 'of somebody else', roles: [] });
    },
    dropStranger: async (target, user) => {
      await root.db(target.name).command({ dropUser: user });
    },
    redirect: (url, target, to) => url.replace(`/${target.name}?`, `/${to.name}?`),
    close: async () => {
      await root.close();
      await mongo.drop();
    },
  };
}

async function logIn(url: string): Promise<LoggedIn> {
  const client = new MongoClient(url, { retryReads: false, serverSelectionTimeoutMS: 3_000 });
  await client.connect();
  const db = client.db();
  return {
    values: async (table, of) => {
      const found = await (of ? client.db(of.name) : db).collection(table).find().sort({ value: 1 }).toArray();
      return found.map((document) => String(document['value']));
    },
    add: (table, value) => db.collection(table).insertOne({ value }),
    make: null,
    close: () => client.close(),
  };
}

describeLogins('logins of mongodb-database', open);
