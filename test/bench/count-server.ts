import { once } from 'node:events';
import net from 'node:net';

/** Counts, over all processes, how many tenants of each cluster are in flight: whoever works on one holds a connection to it meanwhile. */
export interface CountServer {
  readonly port: number;
  /** The most of a cluster that were ever in flight at once; 0 where there was none. */
  peakOf(cluster: string): number;
  /** How many have come, over all clusters. */
  readonly arrivals: number;
  forget(): void;
  close(): void;
}

export async function startCountServer(): Promise<CountServer> {
  const inFlight = new Map<string, number>();
  const peaks = new Map<string, number>();
  let arrivals = 0;
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (data) => {
      const cluster = String(data);
      const now = (inFlight.get(cluster) ?? 0) + 1;
      arrivals += 1;
      inFlight.set(cluster, now);
      peaks.set(cluster, Math.max(now, peaks.get(cluster) ?? 0));
      socket.once('close', () => inFlight.set(cluster, (inFlight.get(cluster) ?? 0) - 1));
      // Only once it is counted does the tenant's work begin.
      socket.write('counted');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    peakOf: (cluster) => peaks.get(cluster) ?? 0,
    get arrivals() {
      return arrivals;
    },
    forget: () => {
      peaks.clear();
      arrivals = 0;
    },
    close: () => server.close(),
  };
}
