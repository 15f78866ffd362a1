import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import type { CollectionInfo, Document } from 'mongodb';
import { loadMongodb } from '../../../util/load-mongodb.js';
import { withMongodbDatabase } from '../../../util/mongodb-url.js';
import type { BackupWork, TenantTarget } from '../../driver.js';
import type { EngineContext } from '../engine-context.js';
import { bsonFile, formatMetadata, metadataFile } from './layout.js';
import { runTool } from './run-tool.js';

/** Documents of a tenant's own database alone: the server's own collections in it say nothing that the metadata doesn't. */
const OF_THE_SERVER = /^system\.(?!js$)/;

export async function dumpDatabase(context: EngineContext, target: TenantTarget, folder: string, work: BackupWork): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  if (work.tools.paths['mongodump'] !== undefined) {
    await runTool('mongodump', withMongodbDatabase(context.url, target.name), [`--out=${folder}`, '--quiet'], work);
    return;
  }
  const giveBack = await context.loans.borrow(work.signal);
  try {
    await dumpByDriver(context, target, path.join(folder, target.name), work);
  } finally {
    giveBack();
  }
}

async function dumpByDriver({ client }: EngineContext, { name }: TenantTarget, folder: string, { signal }: BackupWork): Promise<void> {
  const library = loadMongodb('backups');
  const db = client.db(name);
  await mkdir(folder, { mode: 0o700 });
  const collections = (await db.listCollections({}, { nameOnly: false }).toArray()) as (CollectionInfo & { readonly info?: Document })[];
  for (const { name: collection, type = 'collection', options = {}, info } of collections) {
    signal.throwIfAborted();
    if (OF_THE_SERVER.test(collection)) continue;
    // Looked for by `checkHome`, before anything was touched.
    if (type === 'timeseries')
      throw new Error(`${collection} is a time series, made since the backup was planned: mongodump alone can dump it`);
    const isView = type === 'view';
    const indexes = isView ? [] : await db.collection(collection).listIndexes().toArray();
    const uuid = isView ? '' : toHex(info?.['uuid']);
    const metadata = { collectionName: collection, type, options, indexes, uuid };
    await writeFile(metadataFile(folder, collection), formatMetadata(library, metadata), { mode: 0o600 });
    const file = createWriteStream(bsonFile(folder, collection), { mode: 0o600 });
    const written = finished(file);
    written.catch(() => undefined);
    try {
      // Byte for byte as the server has them.
      const documents = isView ? [] : db.collection(collection).find({}, { raw: true, signal });
      for await (const document of documents) {
        if (!file.write(document as unknown as Uint8Array)) await Promise.race([once(file, 'drain'), written]);
      }
      file.end();
      await written;
    } finally {
      file.destroy();
    }
  }
}

function toHex(uuid: unknown): string {
  const bytes = (uuid as { readonly buffer?: Uint8Array } | undefined)?.buffer;
  return bytes === undefined ? '' : Buffer.from(bytes).toString('hex');
}
