import type { TenancyError } from '../errors.js';
import type { DriverName } from '../tenant.js';
import type { EngineName, TenantDriver } from './driver.js';

/**
 * What the fleet does with an error:
 * `transaction`, `busy`, `catalog-race`, `connection`: tried again, with capped and jittered back-off.
 * `resources`: stop starting tenants. `timeout`: one of our own limits; fails. `denied`: the login lacks a right; like `exists` and `fatal` one attempt.
 */
export type ErrorClass = 'transaction' | 'busy' | 'catalog-race' | 'exists' | 'connection' | 'resources' | 'timeout' | 'denied' | 'fatal';

/** One server (or set of servers) that a config names, with its strict budget of connections. */
export interface ClusterEngine {
  readonly cluster: string;
  /** Redacted, for messages. */
  readonly where: string;
  readonly engine: EngineName;
  /**
   * Tells this server from every other, also behind the same address: PostgreSQL's system_identifier and the database's name,
   * MySQL's server_uuid (MariaDB: server_uid), MongoDB's replicaSetId.
   */
  readIdentity(): Promise<string>;
  readFacts(): Promise<ClusterFacts>;
  /** Only what a run has to know of the connections, in as few questions as it takes. */
  readConnections(): Promise<ConnectionFacts>;
  /**
   * One question to the cluster itself, in the database that its URL names, on a connection of the budget.
   * @throws TenancyError `TENANCY_QUERY_REFUSED` where the engine doesn't speak SQL
   */
  query(sql: string, params: readonly unknown[], signal: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Where SQL isn't the engine's language: the client library's own handle on its administrative database. */
  adminDatabase?(): unknown;
  driver(name: DriverName): TenantDriver;
  classify(error: unknown): ErrorClass;
  /** The sentence for an error of the engine's that means that this cluster can't be talked to, or written to; null for any other. */
  describeUnreachable(error: unknown): TenancyError<'TENANCY_CLUSTER_UNREACHABLE'> | TenancyError<'TENANCY_CLUSTER_READ_ONLY'> | null;
  close(): Promise<void>;
  /** Where the engine is worth keeping between two runs of one program: closes what is idle and bound to a tenant. */
  rest?(): Promise<void>;
}

export interface ConnectionFacts {
  /** Those that an ordinary login can have. */
  readonly maxConnections: number;
  readonly connectionsInUse: number;
  /** Of those in use, how many are this engine's own, so that a run has them already. */
  readonly ours: number;
  /** A pooler stands between: how many connections the server has says nothing of how many the pooler gives. */
  readonly isPooled: boolean;
  /** Narrower bounds on the connections, where somebody has set them: of the login, or of the database that schema tenants live in. */
  readonly connectionLimits: readonly {
    /** Null: for tenants of every driver. */
    readonly driver: DriverName | null;
    readonly of: string;
    readonly most: number;
    readonly inUse: number;
    /** The statement that takes the limit away. */
    readonly hint: string;
  }[];
}

export interface ClusterFacts extends ConnectionFacts {
  readonly version: string;
  /** Each thing that the tool needs to be allowed, for each driver asked for. */
  readonly privileges: readonly {
    readonly driver: DriverName;
    readonly privilege: string;
    readonly isGranted: boolean;
    readonly hint: string;
  }[];
}

export interface OpenClusterOptions {
  readonly cluster: string;
  readonly url: string;
  /** Strict: never more connections than this at once, of all drivers together. */
  readonly maxConnections: number;
  /** Schema that holds the extensions that schema tenants share. @default 'extensions' */
  readonly extensionsSchema: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
}
