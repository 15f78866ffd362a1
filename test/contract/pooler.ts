import net from 'node:net';

/** What a PgBouncer does with `options` among the parameters of a connection's start: leaves them out where it was told to, else refuses them. */
export async function startPooler(target: string, behaviour: 'drops' | 'refuses'): Promise<{ url: string; close(): Promise<void> }> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    sockets.add(client);
    client.on('error', () => undefined);
    client.once('data', (start) => {
      if (behaviour === 'refuses' && start.includes('search_path')) {
        client.end(errorResponse('08P01', 'unsupported startup parameter: options'));
        return;
      }
      const upstream = net.connect(Number(port), hostname);
      sockets.add(upstream);
      upstream.on('error', () => client.destroy());
      upstream.write(withoutOptions(start));
      client.pipe(upstream).pipe(client);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as net.AddressInfo).port);
  return {
    url: url.href,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** A startup message: its length, the protocol's version, then names and values that end in a zero each, and one more. */
function withoutOptions(start: Buffer): Buffer {
  if (start.readInt32BE(4) !== 196_608) return start;
  const words = start
    .subarray(8, start.readInt32BE(0) - 2)
    .toString()
    .split('\0');
  const pairs = words.flatMap((name, index) => (index % 2 === 0 && name !== 'options' ? [name, words[index + 1] ?? ''] : []));
  const body = Buffer.from(`${pairs.join('\0')}\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

function errorResponse(code: string, message: string): Buffer {
  const body = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E', 0);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
