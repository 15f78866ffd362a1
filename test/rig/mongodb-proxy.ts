import { once } from 'node:events';
import net from 'node:net';
import { type Document, deserialize, serialize } from 'bson';
import { createCourier } from './courier.js';
import type { TcpProxy, TcpProxyOptions } from './tcp-proxy.js';

export interface ProxiedCommand {
  /** From 1, over all connections, in the order in which they came. */
  readonly number: number;
  /** `before` it is forwarded, or `after` its answer is complete and before the client is told. */
  readonly phase: 'before' | 'after';
  /** `find`, `update`, `commitTransaction`. */
  readonly name: string;
  /** What the command is about, where that is a collection. */
  readonly collection: string | null;
  /** From 1. */
  readonly connection: number;
}

type CommandVerdict = 'forward' | 'drop' | Document;

export interface MongodbProxyOptions extends Pick<TcpProxyOptions, 'delayMs' | 'isSliced'> {
  /** Told each command that isn't the client library's own housekeeping; `drop` cuts the connection on both sides; a document is answered in the server's place, which never sees the command. */
  readonly onCommand?: (command: ProxiedCommand) => CommandVerdict | Promise<CommandVerdict>;
}

/**
 * Its URL leads to it alone. Requests are the commands that aren't housekeeping, and connections those that have sent one: monitoring isn't
 * counted.
 */
export interface MongodbProxy extends TcpProxy {
  readonly commandCount: number;
}

const HOUSEKEEPING = /^(hello|ismaster|isMaster|ping|saslStart|saslContinue|endSessions|buildInfo)$/;

/** A TCP proxy in front of MongoDB that understands as much of the protocol as it takes to tell one command from another. */
export async function createMongodbProxy(targetUrl: string, options: MongodbProxyOptions = {}): Promise<MongodbProxy> {
  const target = new URL(targetUrl);
  const { delayMs = 0, isSliced = false } = options;
  const state = { commands: 0, connections: 0, busy: 0, peak: 0, delayMs, isBlackHole: false };
  const sockets = new Set<net.Socket>();

  function serve(client: net.Socket): void {
    const server = net.connect({ host: target.hostname, port: Number(target.port || 27_017) });
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('close', () => sockets.delete(socket)).on('error', cut);
    }
    const unanswered = new Map<number, Omit<ProxiedCommand, 'phase'>>();
    let isBusy = false;
    let connection = 0;
    const toServer = createCourier(server, state, isSliced);
    const toClient = createCourier(client, state, isSliced);

    async function forwardCommands(): Promise<void> {
      for await (const message of readMessages(client)) {
        const named = nameOf(message);
        if (named !== null && !HOUSEKEEPING.test(named.name)) {
          if (!isBusy) {
            isBusy = true;
            connection = ++state.connections;
            state.peak = Math.max(state.peak, ++state.busy);
            client.once('close', () => state.busy--);
          }
          const command = { number: ++state.commands, connection, ...named };
          unanswered.set(message.readInt32LE(4), command);
          const verdict = (await options.onCommand?.({ ...command, phase: 'before' })) ?? 'forward';
          if (verdict === 'drop') return cut();
          if (typeof verdict === 'object') {
            unanswered.delete(message.readInt32LE(4));
            toClient.send(toReply(verdict, message.readInt32LE(4)));
            continue;
          }
        }
        toServer.send(message);
      }
      toServer.end();
    }

    async function forwardAnswers(): Promise<void> {
      for await (const message of readMessages(server)) {
        const command = unanswered.get(message.readInt32LE(8));
        unanswered.delete(message.readInt32LE(8));
        if (command !== undefined && (await options.onCommand?.({ ...command, phase: 'after' })) === 'drop') return cut();
        toClient.send(message);
      }
      toClient.end();
    }

    // A connection that breaks is what this is for: both sides learn of it by being cut.
    forwardCommands().catch(cut);
    forwardAnswers().catch(cut);
  }

  const listener = net.createServer(serve).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  const url = new URL(targetUrl);
  url.host = `127.0.0.1:${port}`;
  // Else the client would go on to the address that the server itself gives.
  url.searchParams.set('directConnection', 'true');
  return {
    url: url.href,
    port,
    get commandCount() {
      return state.commands;
    },
    get requestCount() {
      return state.commands;
    },
    get connectionCount() {
      return state.connections;
    },
    get openConnectionCount() {
      return state.busy;
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

/** An OP_MSG with one section. */
function toReply(document: Document, to: number): Buffer {
  const body = serialize(document);
  const head = Buffer.alloc(21);
  for (const [index, value] of [head.length + body.length, 0, to, 2013, 0].entries()) head.writeInt32LE(value, 4 * index);
  return Buffer.concat([head, body]);
}

/** A message begins with its length. */
async function* readMessages(socket: net.Socket): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk as Buffer]);
    while (pending.length >= 4 && pending.length >= pending.readInt32LE(0)) {
      const length = pending.readInt32LE(0);
      yield pending.subarray(0, length);
      pending = pending.subarray(length);
    }
  }
}

/** Of an OP_MSG: 16 bytes of header, four of flags, and sections, of which the one of kind 0 is the command. Null for the greeting of old. */
function nameOf(message: Buffer): Pick<ProxiedCommand, 'name' | 'collection'> | null {
  if (message.readInt32LE(12) !== 2013) return null;
  for (let at = 20; at < message.length; ) {
    const size = message.readInt32LE(at + 1);
    if (message[at] === 0) {
      const [first] = Object.entries(deserialize(message.subarray(at + 1, at + 1 + size)));
      return first === undefined ? null : { name: first[0], collection: typeof first[1] === 'string' ? first[1] : null };
    }
    at += 1 + size;
  }
  return null;
}
