/** Who did something, and from where. The registry adds its own time, and the login that it knows the connection by. */
export interface AuditActor {
  readonly user: string;
  /** The variable that the name is of (`TENANCY_ACTOR`, `GITHUB_ACTOR`…), `os`, or `program` where the program that uses us says it. */
  readonly knownBy: string;
  readonly host: string;
  readonly pid: number;
  /** `tenant migrate`, without its arguments; null: a program's own call. */
  readonly command: string | null;
}

/** One kind of statement that was sent to a tenant's database. */
export interface TenantTouch {
  /** `create`, `migrate`, `seed`, `grant`, `revoke`, `backup`, `drop`…; of a hook its name, `hook:afterCreate`. */
  readonly what: string;
  /** Left out where it ended well. */
  readonly isFailed?: true;
  /** An earlier process sent it and was killed before it could tell; found in the tenant's own history. */
  readonly isFound?: true;
  readonly detail?: string;
  /** Those that were applied or taken back, with the SHA-256 of each. */
  readonly migrations?: readonly { readonly name: string; readonly checksum: string }[];
}

export interface AuditEvent {
  /** Grows over all events of the registry. */
  readonly sequence: number;
  /** In the chain of its tenant, from 1; 0: from before the chain began. */
  readonly place: number;
  readonly at: Date;
  readonly runId: string | null;
  readonly tenant: string | null;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Null where none was told. */
  readonly actor: AuditActor | null;
  /** Of the connection to the registry. */
  readonly login: string | null;
  readonly hash: string | null;
}

/** The chain of the events that belong to no tenant: runs, clusters, homes made ahead. No tenant's id looks like it. */
export const REGISTRY_CHAIN = '*';

/** An event as it was hashed: `hashEvent` makes the same of its fields where nobody has touched them. */
export interface ChainedEvent extends ChainPosition {
  readonly type: string;
  readonly runId: string | null;
  /** Time, type, data, tenant, run, actor, login: the very texts. */
  readonly fields: readonly string[];
  readonly previous: string | null;
  readonly hash: string | null;
}

export interface ChainPosition {
  /** A tenant's id, or `REGISTRY_CHAIN`. */
  readonly chain: string;
  readonly place: number;
  readonly sequence: number;
}

/** The newest of a chain, as the registry keeps it besides the events. */
export interface ChainHead {
  readonly chain: string;
  readonly place: number;
  readonly hash: string;
}

/**
 * The audit trail. Every statement that changes something writes what it did along with it, chained: the event has the hash of the one before it
 * in the same chain, and its own goes over both. The head of a chain is locked by the statement that adds to it, so that no chain ever forks.
 * The end of a run (`run.finished`) has `heads`: how many outcomes it told, and `HashesDigest` over their hashes.
 */
export interface AuditBook {
  /** Of one tenant, oldest first; null: of what belongs to none. `since`: not older than that. */
  listEvents(
    tenant: string | null,
    page: { readonly after: number; readonly limit: number; readonly since?: Date | null },
  ): Promise<readonly AuditEvent[]>;
  /** The last so many of one tenant, oldest of them first: one round trip, however long its trail is. */
  listNewestEvents(tenant: string, limit: number): Promise<readonly AuditEvent[]>;
  /** In the order of chains, what was before a chain first. `chain`: only of this one. */
  readChains(page: {
    readonly chain?: string | null;
    readonly after: ChainPosition | null;
    readonly limit: number;
  }): Promise<readonly ChainedEvent[]>;
  /** In the order of chains. */
  readHeads(page: { readonly chain?: string | null; readonly after: string | null; readonly limit: number }): Promise<readonly ChainHead[]>;
  /** The hashes of a run's outcomes in the trail that were written before that event, in their own order. */
  readRunHashes(
    runId: string,
    page: { readonly before: number; readonly after: string | null; readonly limit: number },
  ): Promise<readonly string[]>;
  /** Outcomes of a run, or of a tenant, that runs have and the trail doesn't. */
  listUntold(
    of: { readonly runId: string } | { readonly tenant: string },
    limit: number,
  ): Promise<readonly { readonly run: string; readonly tenant: string }[]>;
}
