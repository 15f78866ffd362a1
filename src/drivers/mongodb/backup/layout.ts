import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Document } from 'mongodb';
import type { MongodbLibrary } from '../../../util/load-mongodb.js';

/** What stands beside the documents of each collection. */
export interface CollectionMetadata {
  readonly collectionName: string;
  readonly type: string;
  readonly options: Document;
  readonly indexes: readonly Document[];
  /** In hexadecimal digits; empty for a view. */
  readonly uuid: string;
}

export interface DumpedCollection {
  readonly metadata: CollectionMetadata;
  readonly bson: string;
}

const METADATA = '.metadata.json';
/** Of a file's name, with room for the endings. */
const LONGEST = 200;

/** As mongodump calls the files of a collection: escaped, and cut where it is too long, with a digest behind `%24`. */
function fileNameOf(collection: string): string {
  const escaped = encodeURIComponent(collection);
  if (escaped.length <= LONGEST) return escaped;
  const digest = createHash('sha1').update(collection).digest('base64url');
  return `${escaped.slice(0, LONGEST - digest.length - 3)}%24${digest}`;
}

/** MongoDB's extended JSON, in its exact form. */
export function formatMetadata({ BSON }: MongodbLibrary, { options, indexes, uuid, collectionName, type }: CollectionMetadata): string {
  return BSON.EJSON.stringify({ options, indexes, uuid, collectionName, type }, { relaxed: false });
}

export function metadataFile(folder: string, collection: string): string {
  return path.join(folder, `${fileNameOf(collection)}${METADATA}`);
}

export function bsonFile(folder: string, collection: string): string {
  return path.join(folder, `${fileNameOf(collection)}.bson`);
}

/** What a folder of one database has in it, as we or mongodump have written it. */
export async function readLayout({ BSON }: MongodbLibrary, folder: string): Promise<readonly DumpedCollection[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(METADATA)).sort();
  const found: DumpedCollection[] = [];
  for (const name of names) {
    const stem = name.slice(0, -METADATA.length);
    const text = await readFile(path.join(folder, name), 'utf8');
    const metadata = BSON.EJSON.parse(text, { relaxed: false }) as Partial<CollectionMetadata>;
    found.push({
      metadata: {
        collectionName: metadata.collectionName ?? decodeURIComponent(stem),
        type: metadata.type ?? 'collection',
        options: metadata.options ?? {},
        indexes: metadata.indexes ?? [],
        uuid: metadata.uuid ?? '',
      },
      bson: path.join(folder, `${stem}.bson`),
    });
  }
  return found;
}
