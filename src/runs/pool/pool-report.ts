import type { DriverName } from '../../tenant.js';

/** The warm pool of one cluster, as it is. */
export interface PoolState {
  readonly cluster: string;
  readonly driver: DriverName;
  /** So many there are to be. */
  readonly size: number;
  /** Homes that a new tenant can be given, the stale among them. */
  readonly ready: number;
  /** Of those that are ready: made for older migrations, and brought up to date when they are given to a tenant, or by `pool fill`. */
  readonly stale: number;
  /** Being made or dropped by a process that lives. */
  readonly busy: number;
  /** Given to a tenant whose provisioning isn't over. */
  readonly claimed: number;
  readonly broken: readonly BrokenHome[];
}

/** What `pool fill` mends or drops. */
export interface BrokenHome {
  /** Null: the registry doesn't know it. */
  readonly id: string | null;
  readonly name: string;
  /** In a few words: `half made`, `missing`. */
  readonly problem: string;
}

/** What `pool fill` did to one pool, and what it is afterwards. */
export interface PoolFilling extends PoolState {
  readonly made: number;
  /** Brought up to date, or finished. */
  readonly mended: number;
  readonly dropped: number;
  readonly failed: readonly { readonly name: string; readonly code: string; readonly message: string }[];
}
