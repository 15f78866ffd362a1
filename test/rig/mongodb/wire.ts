import { type DeserializeOptions, deserialize, serialize } from 'bson';
import type { Document } from './values.js';

/** https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;

const checksumPresent = 1;
const moreToCome = 2;
const knownRequiredFlags = checksumPresent | moreToCome;

/** What the server says in `hello`; a message may be larger by what frames it. */
export const maxMessageBytes = 48_000_000;
export const maxDocumentBytes = 16 * 1024 * 1024;

const faithful: DeserializeOptions = { promoteValues: false, promoteBuffers: false, bsonRegExp: true };

export interface Request {
  readonly requestId: number;
  /** Document sequences are put into the command under their names. */
  readonly command: Document;
  /** OP_QUERY, which clients greet with before they know that OP_MSG is understood. */
  readonly isLegacy: boolean;
  /** False: the client waits for no answer. */
  readonly wantsReply: boolean;
}

/** Cuts a stream of bytes into requests, whatever the chunks. @throws Error for bytes that are no message; the connection is then lost. */
export class RequestReader {
  #pending: Buffer[] = [];
  #length = 0;

  *push(chunk: Buffer): Generator<Request> {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= 16) {
      const head = this.#pending[0] as Buffer;
      const bytes = head.length >= 4 ? head : this.#join();
      const size = bytes.readInt32LE(0);
      if (size < 16 || size > maxMessageBytes + 16_384) throw new Error(`a message of ${size} bytes`);
      if (this.#length < size) return;
      const all = this.#join();
      this.#pending = all.length > size ? [all.subarray(size)] : [];
      this.#length -= size;
      yield parseMessage(all.subarray(0, size));
    }
  }

  #join(): Buffer {
    if (this.#pending.length > 1) this.#pending = [Buffer.concat(this.#pending)];
    return this.#pending[0] as Buffer;
  }
}

function parseMessage(message: Buffer): Request {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === opQuery) return { requestId, command: parseQuery(message), isLegacy: true, wantsReply: true };
  if (opCode !== opMsg) throw new Error(`opcode ${opCode}`);
  const flags = message.readUInt32LE(16);
  // A required bit that isn't known must not be ignored; the upper sixteen are optional.
  if ((flags & 0xffff & ~knownRequiredFlags) !== 0) throw new Error(`flags ${flags}`);
  const end = message.length - ((flags & checksumPresent) === 0 ? 0 : 4);
  return { requestId, command: parseSections(message, end), isLegacy: false, wantsReply: (flags & moreToCome) === 0 };
}

function parseSections(message: Buffer, end: number): Document {
  let command: Document | undefined;
  const sequences: Document = {};
  for (let at = 20; at < end; ) {
    const kind = message[at];
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    if (kind === 0) command = deserialize(section, faithful);
    else if (kind === 1) Object.assign(sequences, parseSequence(section));
    else throw new Error(`section of kind ${kind}`);
    at += 1 + size;
  }
  if (command === undefined) throw new Error('no body');
  return Object.assign(command, sequences);
}

function parseSequence(section: Buffer): Document {
  const nameEnd = section.indexOf(0, 4);
  const documents: Document[] = [];
  for (let at = nameEnd + 1; at < section.length; ) {
    const size = section.readInt32LE(at);
    documents.push(deserialize(section.subarray(at, at + size), faithful));
    at += size;
  }
  return { [section.toString('utf8', 4, nameEnd)]: documents };
}

function parseQuery(message: Buffer): Document {
  const nameEnd = message.indexOf(0, 20);
  const at = nameEnd + 9;
  const command = deserialize(message.subarray(at, at + message.readInt32LE(at)), faithful);
  const namespace = message.toString('utf8', 20, nameEnd);
  return { ...command, $db: namespace.slice(0, namespace.indexOf('.')) };
}

let lastReplyId = 0;

export function encodeReply(request: Pick<Request, 'requestId' | 'isLegacy'>, reply: Document): Buffer {
  const body = serialize(reply, { ignoreUndefined: true });
  // OP_REPLY: flags, cursor id (8 bytes), first, count. OP_MSG: flags and the kind of the one section.
  const prefix = Buffer.alloc(request.isLegacy ? 36 : 21);
  if (request.isLegacy) prefix.writeInt32LE(1, 32);
  lastReplyId = (lastReplyId + 1) & 0x7fffffff;
  prefix.writeInt32LE(prefix.length + body.length, 0);
  prefix.writeInt32LE(lastReplyId, 4);
  prefix.writeInt32LE(request.requestId, 8);
  prefix.writeInt32LE(request.isLegacy ? opReply : opMsg, 12);
  return Buffer.concat([prefix, body]);
}
