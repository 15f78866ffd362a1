import { once } from 'node:events';
import net from 'node:net';
import { deserialize } from 'bson';

export interface ProxiedCommand {
  /** From 1, over all connections, in the order in which they came. */
  readonly number: number;
  /** `before` it is forwarded, or `after` its answer is complete and before the client is told. */
  readonly phase: 'before' | 'after';
  /** `find`, `update`, `commitTransaction`. */
  readonly name: string;
  /** What the command is about, where that is a collection. */
  readonly collection: string | null;
}

export interface MongodbProxyOptions {
  /** Told each command that isn't the client library's own housekeeping; `drop` cuts the connection on both sides. */
  readonly onCommand?: (command: ProxiedCommand) => 'forward' | 'drop' | Promise<'forward' | 'drop'>;
}

export interface MongodbProxy {
  /** The target's URL, through this proxy, and to it alone. */
  readonly url: string;
  /** Of commands that aren't housekeeping. */
  readonly commandCount: number;
  /** Of connections that have sent such a command at once, the most there have been; monitoring isn't counted. */
  readonly peakConnectionCount: number;
  /** From now on nothing gets through, in neither direction, and nobody is told. */
  setBlackHole(isBlackHole: boolean): void;
  close(): Promise<void>;
}

const HOUSEKEEPING = /^(hello|ismaster|isMaster|ping|saslStart|saslContinue|endSessions|buildInfo)$/;

/** A TCP proxy in front of MongoDB that understands as much of the protocol as it takes to tell one command from another. */
export async function createMongodbProxy(targetUrl: string, options: MongodbProxyOptions = {}): Promise<MongodbProxy> {
  const target = new URL(targetUrl);
  const state = { commands: 0, busy: 0, peak: 0, isBlackHole: false };
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

    async function forwardCommands(): Promise<void> {
      for await (const message of readMessages(client)) {
        const named = nameOf(message);
        if (named !== null && !HOUSEKEEPING.test(named.name)) {
          if (!isBusy) {
            isBusy = true;
            state.peak = Math.max(state.peak, ++state.busy);
            client.once('close', () => state.busy--);
          }
          const command = { number: ++state.commands, ...named };
          unanswered.set(message.readInt32LE(4), command);
          if ((await options.onCommand?.({ ...command, phase: 'before' })) === 'drop') return cut();
        }
        if (!state.isBlackHole) server.write(message);
      }
      server.end();
    }

    async function forwardAnswers(): Promise<void> {
      for await (const message of readMessages(server)) {
        const command = unanswered.get(message.readInt32LE(8));
        unanswered.delete(message.readInt32LE(8));
        if (command !== undefined && (await options.onCommand?.({ ...command, phase: 'after' })) === 'drop') return cut();
        if (!state.isBlackHole) client.write(message);
      }
      client.end();
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
    get commandCount() {
      return state.commands;
    },
    get peakConnectionCount() {
      return state.peak;
    },
    setBlackHole: (isBlackHole) => {
      state.isBlackHole = isBlackHole;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
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
