import { MongoClient } from 'mongodb';
import { createTestMongo, mongoUrl, type TestMongo } from '../rig/mongodb.js';

export interface MongodbSubject {
  readonly mongo: TestMongo;
  /** Of a database of its own, which isn't there yet. */
  readonly url: string;
  readonly database: string;
  readonly applicationName: string;
  /** Fails where a connection of a registry was left open. */
  assertNoConnections(): Promise<void>;
  drop(): Promise<void>;
}

export async function createMongodbSubject(): Promise<MongodbSubject> {
  const mongo = await createTestMongo();
  const database = `${mongo.namePrefix}_registry`;
  const applicationName = `registry ${mongo.namePrefix}`;
  const assertNoConnections = (): Promise<void> => refuseConnections(mongo.url, applicationName);
  return {
    mongo,
    database,
    applicationName,
    url: mongoUrl(mongo.url, database),
    assertNoConnections,
    drop: async () => {
      await assertNoConnections();
      await mongo.drop();
    },
  };
}

/** A server takes a moment to see that a client has gone. */
async function refuseConnections(url: string, applicationName: string): Promise<void> {
  const client = new MongoClient(url, { appName: 'rig' });
  try {
    const deadline = performance.now() + 3_000;
    for (;;) {
      const open = await client
        .db('admin')
        .aggregate([{ $currentOp: { allUsers: true, idleConnections: true } }, { $match: { appName: applicationName } }])
        .toArray();
      if (open.length === 0) return;
      if (performance.now() > deadline) throw new Error(`${open.length} connections were left open`);
    }
  } finally {
    await client.close();
  }
}
