import { once } from 'node:events';
import net from 'node:net';
import { createCourier } from './courier.js';
import { MessageSplitter, StatementTexts } from './frontend-protocol.js';

export interface ProxiedRequest {
  /** From 1, over all connections, in the order in which they came. */
  readonly number: number;
  /** `before` it is forwarded, or `after` its answer is complete and before the client is told. */
  readonly phase: 'before' | 'after';
  /** What the request says, where it has a text. */
  readonly sql: string;
  /** From 1. */
  readonly connection: number;
}

/** `drop` withholds the request (or the answer) and cuts the connection on both sides: for one whose client was just killed. */
export type RequestVerdict = 'forward' | 'drop';

export interface TcpProxyOptions {
  /** Told each request of a client once it has logged in; what it returns decides. */
  readonly onRequest?: (request: ProxiedRequest) => RequestVerdict | undefined | Promise<RequestVerdict | undefined>;
  /** Each way. @default 0 */
  readonly delayMs?: number;
  /** Sends every byte on its own. @default false */
  readonly isSliced?: boolean;
}

export interface TcpProxy {
  /** The target's URL, through this proxy. */
  readonly url: string;
  readonly port: number;
  readonly requestCount: number;
  readonly connectionCount: number;
  readonly openConnectionCount: number;
  readonly peakConnectionCount: number;
  setDelayMs(delayMs: number): void;
  /** From now on nothing gets through, in neither direction, and nobody is told. */
  setBlackHole(isBlackHole: boolean): void;
  /** Cuts every open connection with an RST. */
  reset(): void;
  close(): Promise<void>;
}

/**
 * A TCP proxy in front of PostgreSQL that understands as much of the protocol as it takes to count requests: a simple
 * query is one, and so is everything of the extended protocol up to a Sync. Logging in, TLS negotiation and cancel
 * requests pass uncounted.
 */
export async function createTcpProxy(targetUrl: string, options: TcpProxyOptions = {}): Promise<TcpProxy> {
  const target = new URL(targetUrl);
  const state = { requests: 0, connections: 0, open: 0, peak: 0, delayMs: options.delayMs ?? 0, isBlackHole: false };
  const sockets = new Set<net.Socket>();

  function admit(socket: net.Socket): net.Socket {
    sockets.add(socket.setNoDelay(true));
    socket.on('close', () => sockets.delete(socket));
    return socket;
  }

  function serve(client: net.Socket): void {
    const server = net.connect({ host: target.hostname, port: Number(target.port || 5432), allowHalfOpen: true });
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) admit(socket).on('error', cut);
    const unanswered: Omit<ProxiedRequest, 'phase'>[] = [];
    let connection = 0;
    let isLoggedIn = false;
    let isBinary = false;
    let request: Omit<ProxiedRequest, 'phase'> | undefined;

    const toServer = createCourier(server, state, options.isSliced ?? false);
    const toClient = createCourier(client, state, options.isSliced ?? false);

    async function forwardRequests(): Promise<void> {
      const splitter = new MessageSplitter(true);
      const texts = new StatementTexts();
      for await (const chunk of client) {
        if (isBinary) {
          toServer.send(chunk as Buffer);
          continue;
        }
        for (const message of splitter.push(chunk as Buffer)) {
          if (message.type === 'startup') {
            connection = ++state.connections;
            state.peak = Math.max(state.peak, ++state.open);
            client.on('close', () => state.open--);
          }
          if (message.type === 'message' && isLoggedIn && message.tag !== 'X') {
            const sql = texts.of(message);
            if (request === undefined) {
              request = { number: ++state.requests, sql, connection };
              if ((await options.onRequest?.({ ...request, phase: 'before' })) === 'drop') return cut();
            }
            if (message.tag === 'Q' || message.tag === 'S' || message.tag === 'F') {
              unanswered.push(request);
              request = undefined;
            }
          }
          toServer.send(message.bytes);
        }
      }
      toServer.end();
    }

    async function forwardAnswers(): Promise<void> {
      const splitter = new MessageSplitter(false);
      let isFirst = true;
      for await (const chunk of server) {
        const bytes = chunk as Buffer;
        // The answer to an SSLRequest is a single byte without a length; after a yes nothing more can be read here.
        if (isBinary || (isFirst && bytes.length === 1)) {
          isBinary ||= bytes[0] === 0x53;
          toClient.send(bytes);
          continue;
        }
        isFirst = false;
        for (const message of splitter.push(bytes)) {
          if (message.type === 'message' && message.tag === 'Z') {
            const answered = isLoggedIn ? unanswered.shift() : undefined;
            isLoggedIn = true;
            if (answered && (await options.onRequest?.({ ...answered, phase: 'after' })) === 'drop') return cut();
          }
          toClient.send(message.bytes);
        }
      }
      toClient.end();
    }

    // A connection that breaks is what this is for: both sides learn of it by being cut.
    forwardRequests().catch(cut);
    forwardAnswers().catch(cut);
  }

  const listener = net.createServer({ allowHalfOpen: true }, serve);
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
