import path from 'node:path';
import type { Db, Document } from 'mongodb';
import { TenancyError } from '../../../errors.js';
import { loadMongodb, type MongodbLibrary } from '../../../util/load-mongodb.js';
import type { BackupSource, BackupWork, TenantTarget } from '../../driver.js';
import type { EngineContext } from '../engine-context.js';
import { HOME_COLLECTION, type HomeDocument, homeOf, oursFilter } from '../home.js';
import { type DumpedCollection, readLayout } from './layout.js';
import { readDocuments, toExactDocument } from './read-bson.js';
import { runTool } from './run-tool.js';

/** Of one message, well below the 48 MB that the server takes. */
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_DOCUMENTS = 1_000;

/** Into the database of the target, whatever the one was called that was dumped. Our own document isn't loaded: what it says of the history is put into the new one's. */
export async function restoreDatabase(
  context: EngineContext,
  target: TenantTarget,
  source: BackupSource,
  work: BackupWork & { readonly fence: number },
): Promise<void> {
  const library = loadMongodb('backups');
  const dumped = await readLayout(library, path.join(source.path, source.name));
  const giveBack = await context.loans.borrow(work.signal);
  try {
    if (work.tools.paths['mongorestore'] === undefined) {
      const db = context.client.db(target.name);
      // Views last: what they are made of is there then.
      const ordered = [...dumped].sort((a, b) => Number(a.metadata.type === 'view') - Number(b.metadata.type === 'view'));
      for (const collection of ordered) await restoreCollection(library, db, collection, work);
    } else {
      const [from, to] = [escapePattern(source.name), escapePattern(target.name)];
      const names = [`--nsInclude=${from}.*`, `--nsExclude=${from}.${HOME_COLLECTION}`, `--nsFrom=${from}.*`, `--nsTo=${to}.*`];
      await runTool('mongorestore', context.url, [...names, '--stopOnError', '--quiet', `--dir=${source.path}`], work);
    }
    await restoreHistory(context, library, target, dumped, work);
  } finally {
    giveBack();
  }
}

function escapePattern(name: string): string {
  return name.replace(/[\\*$]/g, '\\$&');
}

async function restoreCollection(
  library: MongodbLibrary,
  db: Db,
  { metadata, bson }: DumpedCollection,
  { signal }: BackupWork,
): Promise<void> {
  const { collectionName: name, type, options, indexes } = metadata;
  signal.throwIfAborted();
  if (name === HOME_COLLECTION) return;
  // Looked for by `checkSource`, before anything was made.
  if (type === 'timeseries') throw new Error(`${name} is a time series, which mongorestore alone can bring back`);
  await db.command({ create: name, ...options });
  if (type === 'view') return;
  let batch: Document[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    signal.throwIfAborted();
    if (batch.length === 0) return;
    const answer = await db.command({
      insert: name,
      documents: batch,
      ordered: true,
      // What was there when it was dumped is to be there again, whatever a validator says of it today.
      bypassDocumentValidation: true,
      writeConcern: { w: 'majority' },
    });
    const [failure] = (answer['writeErrors'] ?? []) as readonly { readonly errmsg?: string }[];
    if (failure !== undefined) throw new Error(`${name}: ${failure.errmsg ?? 'a document was refused'}`);
    batch = [];
    bytes = 0;
  };
  for await (const document of readDocuments(bson, signal)) {
    if (bytes + document.length > BATCH_BYTES || batch.length === BATCH_DOCUMENTS) await send();
    batch.push(toExactDocument(library, document));
    bytes += document.length;
  }
  await send();
  const made = indexes.filter((index) => index['name'] !== '_id_' && index['clustered'] !== true).map(({ ns: _, ...index }) => index);
  if (made.length > 0) await db.command({ createIndexes: name, indexes: made });
}

/** Migrations, seeds and what was under way, with the fence of this life. */
async function restoreHistory(
  context: EngineContext,
  library: MongodbLibrary,
  target: TenantTarget,
  dumped: readonly DumpedCollection[],
  { signal, fence }: BackupWork & { readonly fence: number },
): Promise<void> {
  const own = dumped.find(({ metadata }) => metadata.collectionName === HOME_COLLECTION);
  let before: Partial<HomeDocument> = {};
  if (own !== undefined) {
    for await (const bytes of readDocuments(own.bson, signal)) {
      const document = library.BSON.deserialize(bytes) as Partial<HomeDocument>;
      if (document._id === 'home') before = document;
    }
  }
  const { migrations = [], seeds = [], progress = null } = before;
  const set = { migrations, seeds, progress, fence, revision: 1 };
  const { matchedCount } = await homeOf(context, target.name).updateOne(oursFilter(target), { $set: set });
  if (matchedCount === 0)
    throw new TenancyError('TENANCY_HOME_MISSING', { tenant: target.marker.tenant, name: target.name, cluster: context.cluster });
}
