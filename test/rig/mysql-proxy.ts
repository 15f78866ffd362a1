import { once } from 'node:events';
import net from 'node:net';
import { createCourier } from './courier.js';
import type { ProxiedRequest, TcpProxy, TcpProxyOptions } from './tcp-proxy.js';

/** What the proxy answers in the server's place, which never sees the request. */
export interface MysqlAnswer {
  readonly number: number;
  readonly sqlState: string;
  readonly message: string;
}

export interface MysqlProxy extends TcpProxy {
  /** Consulted for each request until it is put back to null. */
  judge: Required<TcpProxyOptions>['onRequest'] | null;
  /** Consulted first, and what it gives is answered. */
  answer: ((request: ProxiedRequest) => MysqlAnswer | null) | null;
}

const COM_QUIT = 0x01;
const COM_QUERY = 0x03;
const OK = 0x00;
const EOF = 0xfe;
const ERR = 0xff;
const MORE_RESULTS = 0x0008;

/**
 * A TCP proxy in front of MySQL or MariaDB that understands as much of the protocol as it takes to count requests: each command is one,
 * however many statements it has. Logging in passes uncounted. It can't see through TLS.
 */
export async function createMysqlProxy(targetUrl: string, options: TcpProxyOptions = {}): Promise<MysqlProxy> {
  const { delayMs = 0, isSliced = false, onRequest = null } = options;
  const target = new URL(targetUrl);
  const state = {
    requests: 0,
    connections: 0,
    open: 0,
    peak: 0,
    delayMs,
    isBlackHole: false,
    judge: onRequest as MysqlProxy['judge'],
    answer: null as MysqlProxy['answer'],
  };
  const sockets = new Set<net.Socket>();

  function serve(client: net.Socket): void {
    const server = net.connect({ host: target.hostname, port: Number(target.port || 3306) });
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', cut).on('close', () => sockets.delete(socket));
    }
    const connection = ++state.connections;
    state.peak = Math.max(state.peak, ++state.open);
    client.on('close', () => state.open--);
    let isLoggedIn = false;
    let request: Omit<ProxiedRequest, 'phase'> | undefined;
    let reading = startAnswer();

    const toServer = createCourier(server, state, isSliced);
    const toClient = createCourier(client, state, isSliced);

    async function forwardRequests(): Promise<void> {
      for await (const packet of packetsOf(client)) {
        const command = packet[4];
        if (isLoggedIn && command !== COM_QUIT) {
          const sql = command === COM_QUERY ? packet.toString('utf8', 5) : '';
          request = { number: ++state.requests, sql, connection };
          reading = startAnswer();
          const answer = state.answer?.({ ...request, phase: 'before' }) ?? null;
          if (answer !== null) {
            request = undefined;
            toClient.send(toErrorPacket(answer));
            continue;
          }
          if ((await state.judge?.({ ...request, phase: 'before' })) === 'drop') return cut();
        }
        toServer.send(packet);
      }
      toServer.end();
    }

    async function forwardAnswers(): Promise<void> {
      for await (const packet of packetsOf(server)) {
        if (!isLoggedIn) isLoggedIn = packet[4] === OK;
        else if (request !== undefined && reading(packet.subarray(4))) {
          const answered = request;
          request = undefined;
          if ((await state.judge?.({ ...answered, phase: 'after' })) === 'drop') return cut();
        }
        toClient.send(packet);
      }
      toClient.end();
    }

    // A connection that breaks is what this is for: both sides learn of it by being cut.
    forwardRequests().catch(cut);
    forwardAnswers().catch(cut);
  }

  const listener = net.createServer(serve);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  const url = new URL(targetUrl);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    port,
    get requestCount() {
      return state.requests;
    },
    get connectionCount() {
      return state.connections;
    },
    get openConnectionCount() {
      return state.open;
    },
    get peakConnectionCount() {
      return state.peak;
    },
    get judge() {
      return state.judge;
    },
    get answer() {
      return state.answer;
    },
    set answer(answer) {
      state.answer = answer;
    },
    set judge(judge) {
      state.judge = judge;
    },
    setDelayMs: (delayMs) => {
      state.delayMs = delayMs;
    },
    setBlackHole: (isBlackHole) => {
      state.isBlackHole = isBlackHole;
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** The first packet of an answer: its sequence is 1. */
function toErrorPacket({ number, sqlState, message }: MysqlAnswer): Buffer {
  const text = Buffer.from(`#${sqlState}${message}`);
  const payload = Buffer.concat([Buffer.from([ERR, number & 0xff, number >> 8]), text]);
  return Buffer.concat([Buffer.from([payload.length & 0xff, payload.length >> 8, 0, 1]), payload]);
}

/** Three bytes of length, one of sequence, then the payload. */
async function* packetsOf(socket: net.Socket): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    for (let size = sizeOf(rest); size !== null; size = sizeOf(rest)) {
      yield rest.subarray(0, size);
      rest = rest.subarray(size);
    }
  }
}

function sizeOf(bytes: Buffer): number | null {
  const size = bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUIntLE(0, 3);
  return bytes.length < size ? null : size;
}

/** Told each packet of an answer, it tells whether that was the last: neither within a set of rows nor before another result. */
function startAnswer(): (payload: Buffer) => boolean {
  let part: 'result' | 'columns' | 'rows' = 'result';
  return (payload) => {
    const [first = ERR] = payload;
    if (first === ERR) return true;
    if (part === 'result') {
      if (first === OK) return !hasMore(payload, skipNumber(payload, skipNumber(payload, 1)));
      part = 'columns';
      return false;
    }
    if (first !== EOF || payload.length >= 9) return false;
    if (part === 'columns') {
      part = 'rows';
      return false;
    }
    part = 'result';
    return !hasMore(payload, 3);
  };
}

function hasMore(payload: Buffer, at: number): boolean {
  return (payload.readUInt16LE(at) & MORE_RESULTS) !== 0;
}

/** A number of one byte, or of as many more as its first byte says. */
function skipNumber(payload: Buffer, at: number): number {
  return at + ({ 252: 3, 253: 4, 254: 9 }[payload[at] ?? 0] ?? 1);
}
