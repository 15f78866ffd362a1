import { type Db, MongoClient, type MongoClientOptions, MongoServerError } from 'mongodb';
import { afterAll, beforeAll } from 'vitest';
import { createOwnTestMongo, createTestMongo, type TestMongo } from './mongodb.js';

export interface MongoScene {
  readonly mongo: TestMongo;
  readonly client: MongoClient;
  readonly db: Db;
  connect(url?: string, options?: MongoClientOptions): MongoClient;
}

/** A client of the server's root for each test file; what else it connects is closed at the end, and all names go. `own`: see `createOwnTestMongo`. */
export function useMongo(server: 'shared' | 'own' = 'shared'): MongoScene {
  const scene = {} as { mongo: TestMongo; client: MongoClient; db: Db; connect: MongoScene['connect'] };
  const clients: MongoClient[] = [];
  beforeAll(async () => {
    scene.mongo = await (server === 'own' ? createOwnTestMongo : createTestMongo)();
    scene.connect = (url = scene.mongo.url, options = {}) => {
      const client = new MongoClient(url, { serverSelectionTimeoutMS: 5000, ...options });
      clients.push(client);
      return client;
    };
    scene.client = scene.connect();
    scene.db = scene.client.db(`${scene.mongo.namePrefix}_main`);
  });
  afterAll(async () => {
    for (const client of clients) await client.close();
    await scene.mongo.drop();
  });
  return scene;
}

/** The server's code of what a command is refused with; 0 where it isn't. */
export async function codeOf(action: Promise<unknown>): Promise<number> {
  try {
    await action;
    return 0;
  } catch (error) {
    if (error instanceof MongoServerError) return Number(error.code);
    throw error;
  }
}
