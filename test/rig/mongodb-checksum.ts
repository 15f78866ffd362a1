import { createHash } from 'node:crypto';
import { BSON, MongoClient } from 'mongodb';

/** What a backup has to bring back, of a tenant's database on MongoDB: every byte of every document, indexes and options; nothing of whose it is, or of which life. */
export async function checksumMongoContents(url: string, database: string): Promise<string> {
  const client = new MongoClient(url, { appName: 'rig' });
  try {
    const db = client.db(database);
    const hash = createHash('sha256');
    const collections = await db.listCollections({}, { nameOnly: false }).toArray();
    for (const { name, type, options } of collections.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (name.startsWith('system.')) continue;
      hash.update(BSON.EJSON.stringify({ name, type, options }));
      if (type === 'view') continue;
      const indexes = await db.collection(name).listIndexes().toArray();
      hash.update(BSON.EJSON.stringify(indexes.sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1))));
      if (name === '_tenancy') {
        const home = await db.collection(name).findOne({});
        hash.update(BSON.EJSON.stringify({ migrations: home?.['migrations'], seeds: home?.['seeds'], progress: home?.['progress'] }));
        continue;
      }
      const documents: string[] = [];
      for await (const document of db.collection(name).find({}, { raw: true }))
        documents.push(Buffer.from(document as unknown as Uint8Array).toString('hex'));
      hash.update(documents.sort().join('\n'));
    }
    return hash.digest('hex');
  } finally {
    await client.close();
  }
}
