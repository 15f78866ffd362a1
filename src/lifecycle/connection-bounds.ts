import type { ConnectionFacts } from '../drivers/driver.js';
import type { DriverName } from '../tenant.js';

/** One of the limits on the connections to a cluster: the server's own, the login's, the database's. */
export interface ConnectionBound {
  /** Whose it is, with a space before it; empty for the server's own. */
  readonly by: string;
  readonly most: number;
  /** By others, and by ourselves. */
  readonly inUse: number;
  /** What an operator would do about it. */
  readonly raise: string;
}

/** Those that bind tenants of these drivers; of no drivers, all. The server's own comes first. */
export function listBounds(facts: ConnectionFacts, drivers: ReadonlySet<DriverName>): readonly [ConnectionBound, ...ConnectionBound[]] {
  const server: ConnectionBound = { by: '', most: facts.maxConnections, inUse: facts.connectionsInUse, raise: 'raise max_connections' };
  const limits = facts.connectionLimits
    .filter(({ driver }) => driver === null || drivers.size === 0 || drivers.has(driver))
    .map(({ of, most, inUse, hint }): ConnectionBound => ({ by: ` by the limit of ${of}`, most, inUse, raise: hint }));
  return [server, ...limits];
}

export function countFree({ most, inUse }: ConnectionBound): number {
  return most - inUse;
}

/** The one with the fewest left. */
export function findFullest(bounds: readonly [ConnectionBound, ...ConnectionBound[]]): ConnectionBound {
  return bounds.reduce((least, bound) => (countFree(bound) < countFree(least) ? bound : least));
}
