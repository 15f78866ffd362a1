import { type Db, MongoClient } from 'mongodb';
import { vi } from 'vitest';
import { openClusterEngine } from '../../src/drivers/index.js';
import { createTestMongo } from '../rig/mongodb.js';
import { type DriverUnderTest, describeDriver, type Home, type HomeWords } from './driver-suite.js';

const MAX_CONNECTIONS = 3;

function wordsOf(native: (home: Home) => Db, watcher: Db): HomeWords {
  return {
    put: async (home, table, value) => {
      await native(home).collection(table).insertOne({ value });
    },
    values: async (home, table) => {
      const documents = await native(home).collection<{ value: string }>(table).find().sort({ value: 1 }).toArray();
      return documents.map(({ value }) => value);
    },
    sleep: async (home, seconds) => {
      await native(home)
        .client.db('admin')
        .command({ sleep: 1, millis: seconds * 1000, lock: 'none' });
    },
    countSleeping: async (_, seconds) => {
      const running = { active: true, 'command.sleep': 1, 'command.millis': seconds * 1000 };
      return (await watcher.aggregate([{ $currentOp: { allUsers: true } }, { $match: running }]).toArray()).length;
    },
    // A connection keeps nothing of what was sent over it: a session is named in each command.
    litter: async (home) => {
      const { client } = native(home);
      const session = client.startSession();
      session.startTransaction();
      await native(home).collection('litter').insertOne({ value: 'x' }, { session });
    },
    findLitter: async (home) => {
      const found = await native(home).collection('litter').countDocuments();
      return found === 0 ? [] : ['a document'];
    },
    failHalfWay: null,
  };
}

async function open(): Promise<DriverUnderTest> {
  const mongo = await createTestMongo();
  const applicationName = `contract-${mongo.namePrefix}`;
  const engine = await openClusterEngine({
    cluster: 'main',
    url: mongo.url,
    maxConnections: MAX_CONNECTIONS,
    extensionsSchema: 'extensions',
    applicationName,
  });
  const driver = engine.driver('mongodb-database');
  // On a client of its own that stays connected, so that counting is quick enough to see a moment too many.
  const watcher = new MongoClient(mongo.url, { appName: 'watcher' });
  const admin = watcher.db('admin');
  // The one that only watches the server logs in nowhere.
  const countConnections = async (): Promise<number> => {
    const held = { appName: applicationName, 'effectiveUsers.0': { $exists: true } };
    return (await admin.aggregate([{ $currentOp: { allUsers: true, idleConnections: true } }, { $match: held }]).toArray()).length;
  };
  return {
    // The client doesn't wait for the server to see that it has hung up.
    engine: {
      ...engine,
      close: () =>
        engine
          .close()
          .then(() => vi.waitUntil(async () => (await countConnections()) === 0, { timeout: 5_000 }))
          .then(() => {}),
    },
    driver,
    maxConnections: MAX_CONNECTIONS,
    name: (suffix) => `${mongo.namePrefix}_${suffix}`,
    createUnmarked: async (home) => {
      await watcher.db(home).createCollection('somebodys');
    },
    countConnections,
    nameEndings: ['a-b', 'été', '日本', 'ends-'],
    words: wordsOf(({ target }) => driver.nativeDatabase?.(target) as Db, admin),
    close: async () => {
      await watcher.close();
      await mongo.drop();
    },
  };
}

describeDriver('mongodb-database', open);
