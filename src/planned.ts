import type { DriverName } from './tenant.js';

/** Tenants of one cluster and driver whose history is the same, so that the same is to be done to each of them. */
export interface PlannedGroup {
  readonly cluster: string;
  readonly driver: DriverName;
  readonly from: string | null;
  /** Digest of what they have, as the registry records it. */
  readonly hash: string | null;
  readonly to: string | null;
  /** In the order in which they would be run. */
  readonly migrations: readonly string[];
  readonly tenants: number;
  /** The first few, where they were looked at one by one. */
  readonly sample: readonly string[];
  /** Who says what they have: the registry's record, or their own history, which was read. */
  readonly knownBy: 'registry' | 'tenant';
}

/** What a run would do on one cluster. */
export interface PlannedCluster {
  readonly cluster: string;
  /** With something to do. */
  readonly tenants: number;
  readonly cap: number;
  /** Median of what a tenant took in earlier runs; null where there is none to go by. */
  readonly tenantMs: number | null;
  readonly estimateMs: number | null;
}
