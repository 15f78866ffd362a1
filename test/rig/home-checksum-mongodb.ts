import { createHash } from 'node:crypto';
import { EJSON } from 'bson';
import type { MongoClient } from 'mongodb';

/** Everything in a tenant's database that somebody could miss: its collections with their options, indexes and documents, its users. */
export async function checksumMongodbHome(client: MongoClient, name: string): Promise<string> {
  const db = client.db(name);
  const hash = createHash('sha256');
  const collections = await db.listCollections({}, { nameOnly: false }).toArray();
  for (const { name: collection, type, options } of collections.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(EJSON.stringify([collection, type, options]));
    if (type === 'view') continue;
    hash.update(sorted(await db.collection(collection).listIndexes().toArray()));
    hash.update(sorted(await db.collection(collection).find().toArray()));
  }
  const { users } = await db.command({ usersInfo: 1 });
  hash.update(sorted((users as { user: string; roles: unknown }[]).map(({ user, roles }) => ({ user, roles }))));
  return hash.digest('hex');
}

function sorted(documents: readonly object[]): string {
  return documents
    .map((document) => EJSON.stringify(document))
    .sort()
    .join('\n');
}
