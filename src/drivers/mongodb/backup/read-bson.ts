import { createReadStream } from 'node:fs';
import type { Document } from 'mongodb';
import type { MongodbLibrary } from '../../../util/load-mongodb.js';

/** The most that a document may have, and what the server adds of its own. */
const LARGEST = 17 * 1024 * 1024;

/** A value whose type is not made into JavaScript's own, so that written again it is the same. */
const EXACT = { promoteValues: false, promoteLongs: false, promoteBuffers: false, bsonRegExp: true, ignoreUndefined: false } as const;

/** The documents of a file, one after the other, as bytes. @throws where it ends in the middle of one. */
export async function* readDocuments(file: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { signal, highWaterMark: 1024 * 1024 })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let at = 0;
    while (rest.length - at >= 4) {
      const length = rest.readInt32LE(at);
      if (length < 5 || length > LARGEST) throw new Error(`${file} is no BSON: a document in it would have ${length} bytes`);
      if (rest.length - at < length) break;
      yield rest.subarray(at, at + length);
      at += length;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new Error(`${file} ends in the middle of a document`);
}

/**
 * A document that is written again byte for byte as it was read. An object of JavaScript's brings keys like `2` and `1` into another order, and bears
 * no type that the client library no longer writes; where either shows, it is read as maps, and where that shows too it is refused.
 */
export function toExactDocument({ BSON }: MongodbLibrary, bytes: Buffer): Document {
  const plain = BSON.deserialize(bytes, EXACT);
  if (isSame(BSON, plain, bytes)) return plain;
  const mapped = readMap(BSON, bytes) as unknown as Document;
  if (isSame(BSON, mapped, bytes)) return mapped;
  throw new Error('a document has a type that only mongorestore can bring back: install the MongoDB Database Tools');
}

type Bson = MongodbLibrary['BSON'];

function isSame(BSON: Bson, document: Document, bytes: Buffer): boolean {
  return Buffer.compare(Buffer.from(BSON.serialize(document, { ignoreUndefined: false })), bytes) === 0;
}

const EMBEDDED = 0x03;
const ARRAY = 0x04;

/** Keys in their order. */
function readMap(BSON: Bson, bytes: Buffer): ReadonlyMap<string, unknown> {
  const map = new Map<string, unknown>();
  let at = 4;
  while (at < bytes.length - 1) {
    const type = bytes[at] ?? 0;
    const nameEnd = bytes.indexOf(0, at + 1);
    const name = bytes.toString('utf8', at + 1, nameEnd);
    const start = nameEnd + 1;
    const end = start + sizeOf(type, bytes, start);
    const value = bytes.subarray(start, end);
    if (type === EMBEDDED) map.set(name, readMap(BSON, value));
    else if (type === ARRAY) map.set(name, [...readMap(BSON, value).values()]);
    else map.set(name, readValue(BSON, type, value));
    at = end;
  }
  return map;
}

/** By a document of its own. */
function readValue(BSON: Bson, type: number, value: Buffer): unknown {
  const document = Buffer.alloc(4 + 1 + 2 + value.length + 1);
  document.writeInt32LE(document.length, 0);
  document[4] = type;
  document.write('v', 5, 'latin1');
  value.copy(document, 7);
  return BSON.deserialize(document, EXACT)['v'];
}

const FIXED: Readonly<Record<number, number>> = {
  1: 8, // double
  6: 0, // undefined
  7: 12, // ObjectId
  8: 1, // boolean
  9: 8, // date
  10: 0, // null
  16: 4, // int32
  17: 8, // timestamp
  18: 8, // int64
  19: 16, // decimal128
  255: 0, // MinKey
  127: 0, // MaxKey
};

/** @see https://bsonspec.org/spec.html */
function sizeOf(type: number, bytes: Buffer, at: number): number {
  const fixed = FIXED[type];
  if (fixed !== undefined) return fixed;
  const length = type === 0x0b ? 0 : bytes.readInt32LE(at);
  switch (type) {
    case EMBEDDED:
    case ARRAY:
    case 0x0f: // code with scope
      return length;
    case 0x02: // string
    case 0x0d: // code
    case 0x0e: // symbol
      return 4 + length;
    case 0x05: // binary
      return 5 + length;
    case 0x0c: // DBPointer
      return 4 + length + 12;
    case 0x0b: // regular expression: two strings
      return bytes.indexOf(0, bytes.indexOf(0, at) + 1) + 1 - at;
    default:
      throw new Error(`a document has a value of the unknown type ${type}`);
  }
}
