import { once } from 'node:events';
import net from 'node:net';
import { dispatch } from './dispatch.js';
import { CommandError } from './errors.js';
import { type Connection, type ServerOptions, ServerState } from './state.js';
import { expireDocuments } from './ttl.js';
import { encodeReply, type Request, RequestReader } from './wire.js';

export interface StandIn {
  readonly port: number;
  /** Of the root user, if there is one. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Listens on 127.0.0.1 and answers as a MongoDB 8.0 does, the primary and only member of a replica set, its data in
 * memory. What it doesn't know it refuses.
 */
export async function startStandIn(options: ServerOptions = {}): Promise<StandIn> {
  const state = new ServerState(options);
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(state, socket);
  });
  listener.listen(options.port ?? 0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  state.address = `127.0.0.1:${port}`;
  const sweep = startSweeping(state);
  const login = options.root === undefined ? '' : `${encodeURIComponent(options.root.user)}:${encodeURIComponent(options.root.password)}@`;
  return {
    port,
    url: `mongodb://${login}${state.address}/?directConnection=true&authSource=admin`,
    stop: async () => {
      clearInterval(sweep);
      listener.close();
      for (const socket of sockets) socket.destroy();
      await once(listener, 'close');
    },
  };
}

function serve(state: ServerState, socket: net.Socket): void {
  state.totalConnections += 1;
  const connection: Connection = {
    id: state.totalConnections,
    remote: `${socket.remoteAddress}:${socket.remotePort}`,
    appName: null,
    user: null,
    login: null,
    conversation: null,
  };
  state.connections.set(connection.id, connection);
  const reader = new RequestReader();
  // One after another: a client that doesn't wait for answers still has its order.
  let last: Promise<void> = Promise.resolve();
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    try {
      for (const request of reader.push(chunk)) last = last.then(() => answer(state, connection, socket, request));
    } catch {
      socket.destroy();
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    state.connections.delete(connection.id);
    for (const operation of state.operations.values()) {
      if (operation.connection === connection)
        operation.kill(new CommandError(279, 'operation was interrupted because a client disconnected'));
    }
  });
}

async function answer(state: ServerState, connection: Connection, socket: net.Socket, request: Request): Promise<void> {
  if (socket.destroyed) return;
  const reply = await dispatch(state, connection, request.command);
  if (reply === null) socket.destroy();
  else if (request.wantsReply && !socket.destroyed) socket.write(encodeReply(request, reply));
}

/** What the server does by itself: documents, transactions, cursors and sessions that are past their time. */
function startSweeping(state: ServerState): NodeJS.Timeout {
  let sweptAt = Date.now();
  const timer = setInterval(() => {
    state.sessions.expire(Number(state.parameters['transactionLifetimeLimitSeconds']));
    state.cursors.expire();
    if (state.parameters['ttlMonitorEnabled'] === false || Date.now() - sweptAt < Number(state.parameters['ttlMonitorSleepSecs']) * 1000)
      return;
    sweptAt = Date.now();
    expireDocuments(state.catalogue, state.now());
  }, 250);
  return timer.unref();
}
