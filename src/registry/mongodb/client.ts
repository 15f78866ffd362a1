import type { MongoClient } from 'mongodb';
import { loadMongodb } from '../../util/load-mongodb.js';

/** The one place that asks for the client library, which is the project's. @throws TenancyError `TENANCY_CLIENT_LIBRARY_MISSING` */
export function createMongoClient(...args: ConstructorParameters<typeof MongoClient>): MongoClient {
  const { MongoClient: Client } = loadMongodb('a registry in MongoDB');
  return new Client(...args);
}
