import { connect } from 'node:net';
import type { Client } from 'pg';

/** What pg keeps to itself and we need: the key of a CancelRequest, the socket, what the server said of itself. */
interface ClientInternals {
  readonly host: string;
  readonly port: number;
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly readyForQuery?: boolean;
  _ending: boolean;
  readonly connection: {
    readonly stream: { destroy(): void };
    on(event: 'parameterStatus', listener: (message: { readonly parameterName: string; readonly parameterValue: string }) => void): void;
  };
}

const CANCEL_REQUEST_CODE = 80_877_102;
const CANCEL_TIMEOUT_MS = 2_000;

/**
 * Asks the server to cancel what the client runs, with a CancelRequest: a short connection that never becomes a backend, so it
 * costs nothing of the budget. Never rejects: a server that can't be reached for it can't be reached otherwise either.
 *
 * Sent without TLS, as libpq's PQcancel does; it carries nothing but the cancel key.
 */
export function cancelStatement(client: Client): Promise<void> {
  const { host, port, processID, secretKey } = internals(client);
  if (processID === null || secretKey === null) return Promise.resolve();
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(CANCEL_REQUEST_CODE, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  return new Promise((resolve) => {
    const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    socket.setTimeout(CANCEL_TIMEOUT_MS, () => socket.destroy());
    // The server answers by closing the connection, once the signal is on its way.
    socket.once('close', () => resolve());
    socket.once('error', () => socket.destroy());
    socket.once('connect', () => socket.write(request));
    socket.resume();
  });
}

/** Tears the socket down without a word to the server. */
export function destroySocket(client: Client): void {
  internals(client).connection.stream.destroy();
}

/** Waits until nothing runs on it, and refuses whatever is sent from now on. */
export async function drain(client: Client, timeoutMs: number): Promise<void> {
  internals(client)._ending = true;
  if (internals(client).readyForQuery === true) return;
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
    client.once('drain', () => resolve());
    client.once('end', () => resolve());
  });
  clearTimeout(timer);
}

/** Calls back with `server_version_num`, which the server announces while connecting: no round trip of its own. */
export function onServerVersion(client: Client, listener: (version: number) => void): void {
  internals(client).connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
    if (parameterName === 'server_version') listener(parseServerVersion(parameterValue));
  });
}

/** `15.18 (Debian …)` → 150018; `18beta1` → 180000. */
function parseServerVersion(text: string): number {
  const [, major = '0', minor = '0'] = /^(\d+)(?:\.(\d+))?/.exec(text) ?? [];
  return Number(major) * 10_000 + Number(minor);
}

function internals(client: Client): ClientInternals {
  return client as unknown as ClientInternals;
}
