import { once } from 'node:events';
import net from 'node:net';
import { calculateObjectSize, type Document, deserialize, serialize } from 'bson';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useMongo } from './mongodb-scene.js';

const scene = useMongo();
let socket: net.Socket;

beforeEach(async () => {
  const { hostname, port } = new URL(scene.mongo.url);
  socket = net.connect(Number(port), hostname);
  await once(socket, 'connect');
});

afterEach(() => socket.destroy());

function message(opCode: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(16);
  for (const [at, value] of [body.length + 16, 7, 0, opCode].entries()) header.writeInt32LE(value, at * 4);
  return Buffer.concat([header, body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

const body = (command: Document): Buffer => Buffer.concat([Buffer.from([0]), serialize(command)]);

/** The answer's code of operation and its document. */
async function answer(bytesBefore: number): Promise<{ opCode: number; document: Document }> {
  const chunks: Buffer[] = [];
  let bytes = Buffer.alloc(0);
  while (bytes.length < 4 || bytes.length < bytes.readInt32LE(0)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    chunks.push(chunk);
    bytes = Buffer.concat(chunks);
  }
  expect(bytes.readInt32LE(8)).toBe(7);
  return { opCode: bytes.readInt32LE(12), document: deserialize(bytes.subarray(bytesBefore)) };
}

test('a greeting in the old way is answered in the old way', async () => {
  const query = [int32(0), Buffer.from('admin.$cmd\0'), int32(0), int32(-1), serialize({ isMaster: 1, helloOk: true })];
  socket.write(message(2004, ...query));
  expect(await answer(36)).toMatchObject({ opCode: 1, document: { ok: 1, ismaster: true, helloOk: true } });
});

test('a message may come byte by byte, with a sequence of documents', async () => {
  const documents = [{ a: 1 }, { a: 2 }];
  const sequence = Buffer.concat([Buffer.from('documents\0'), ...documents.map((document) => serialize(document))]);
  const section = Buffer.concat([Buffer.from([1]), int32(sequence.length + 4), sequence]);
  expect(sequence.length).toBe(10 + 2 * calculateObjectSize({ a: 1 }));
  const bytes = message(2013, int32(0), section, body({ insert: 'x', $db: scene.db.databaseName }));
  for (const byte of bytes) socket.write(Buffer.from([byte]));
  // Nobody has authenticated on this connection.
  expect(await answer(21)).toMatchObject({ opCode: 2013, document: { ok: 0, code: 13 } });
});

test('bytes that are no message end the connection', async () => {
  socket.on('error', () => undefined);
  socket.write(message(1234, Buffer.alloc(40)));
  await once(socket, 'close');
});
