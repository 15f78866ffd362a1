import type { TenancyError } from '../errors.js';
import type { AppliedMigration, LocalMigration, MigrationScript, TenantDb, TenantHistory } from '../migrations/migration.js';
import type { DriverName, Placement } from '../tenant.js';
import type { BackupDriver } from './backup-driver.js';

export type { BackupCheck, BackupDriver, BackupFormat, BackupSource, BackupTools, BackupWork } from './backup-driver.js';

/**
 * # Adding a driver
 *
 * A driver knows one kind of home for a tenant on one engine: how to create, find, enter, cut off and drop it.
 * It knows nothing of order (the lifecycle's), of how many at once (the fleet's) or of words (the reporters').
 *
 * 1. Add its name to `DRIVER_NAMES` and its names' rules to `drivers/names.ts`.
 * 2. Implement `ClusterEngine` for the engine, where it is new, and `TenantDriver`; enter the engine into the lazy table in `drivers/index.ts`.
 * 3. Run the conformance suite (`test/contract/driver-suite.ts`) over it; it is a part of this contract.
 *
 * Every method may be called again after a crash at any point of it, and then finishes the work or finds it done.
 * Every method rejects with the engine's own error, or with a `TenancyError` where the driver itself refuses;
 * `classify` tells the fleet what to do with the former.
 */
export interface TenantDriver {
  readonly name: DriverName;
  readonly capabilities: DriverCapabilities;
  /** Whether the home exists and whose it is. Reads only. */
  probe(
    target: TenantTarget,
    how?: { /** The home isn't entered, and is taken for full. */ readonly isFromOutside: boolean },
  ): Promise<Presence>;
  /**
   * Creates the home and marks it as ours, so that at no moment there is an unmarked home under the tenant's name.
   * `adopted`: an earlier, interrupted attempt of the same operation had made it. `copied`: of the template, where one was given and it is
   * (still) there to be copied.
   * @throws TenancyError `TENANCY_NAME_TAKEN` where something that isn't ours has the name; it is left alone.
   */
  create(target: TenantTarget, signal: AbortSignal, template?: HomeTemplate | null): Promise<'created' | 'adopted' | 'copied'>;
  /** Where the engine can copy a home faster than it can make one and migrate it. */
  readonly templates?: TemplateDriver;
  /**
   * With `supportsRename`: gives a home that was made ahead to a tenant, marker and name in one transaction. `adopted`: the tenant has it already.
   * `absent`: there is no such home (any more).
   * @throws TenancyError `TENANCY_NAME_TAKEN`, as `create`.
   */
  handOver?(spare: TenantTarget, target: TenantTarget, signal: AbortSignal): Promise<'handed-over' | 'adopted' | 'absent'>;
  /**
   * Removes the home and all in it, if its marker is ours; in batches that the engine bears.
   * @throws TenancyError `TENANCY_DROP_REFUSED` where the marker isn't ours, or the drop would reach beyond the tenant.
   */
  drop(target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'>;
  /**
   * Where rights and users outlive the home that they are of: of one that is gone, also behind our back, removes what would open the next home of that
   * name to whoever had it. Described for people; `left` is what couldn't be removed. Does nothing while there is a home of that name.
   */
  sweepLeft?(target: TenantTarget, signal: AbortSignal): Promise<{ readonly removed: readonly string[]; readonly left: readonly string[] }>;
  /** What a drop would refuse for, without dropping; empty when it wouldn't. Reads only. */
  planDrop(target: TenantTarget): Promise<readonly string[]>;
  /** With `handOver`: every home on the cluster that this registry has had made ahead and that is no tenant's, templates included. Reads only. */
  listAhead?(registry: string): Promise<readonly { readonly name: string; readonly marker: Marker }[]>;
  /**
   * What operations have begun to make or to drop and not finished, as far as working names or a ledger of ours tell it; a ledger also tells what it
   * takes for made and is gone. Reads only.
   */
  listBegun?(registry: string): Promise<readonly BegunHome[]>;
  /** Logins of a tenant's own, with rights on its home alone. */
  readonly logins?: LoginDriver;
  /** Closes what connections of ours idle in the home, so that another process can rename it. */
  leave?(target: TenantTarget): Promise<void>;
  /** Takes away rights and ends sessions, as far as the engine can for this tenant; the answer says how far. */
  cutAccess(target: TenantTarget, signal: AbortSignal): Promise<AccessChange>;
  restoreAccess(target: TenantTarget, signal: AbortSignal): Promise<AccessChange>;
  /**
   * Closes the home of a tenant that is to be kept and not to be reached, with all that is in it. Where that is enforced, a session that is in it
   * gets errors within a second from when this has ended, and nobody begins another. `probe` then says `retained`, and `drop` finds it as it is.
   * `operation`: the deprovision that it is for. Once that is over, a late attempt of it changes nothing, where the home can bear such a note.
   * @throws TenancyError `TENANCY_ACCESS_REFUSED` where the home isn't there, or isn't ours; `TENANCY_STATE_MOVED` where the operation is over.
   */
  retain(target: TenantTarget, operation: string, signal: AbortSignal): Promise<AccessChange>;
  /**
   * Takes that back: name, rights and marker are what they were before. Access that was cut besides stays cut. `isOver`: and so is the operation.
   * @throws TenancyError `TENANCY_NAME_TAKEN` where something else has the name meanwhile; `TENANCY_STATE_MOVED` where another operation has
   * retained it since; `TENANCY_ACCESS_REFUSED`, as `retain`.
   */
  unretain(target: TenantTarget, by: { readonly operation: string; readonly isOver: boolean }, signal: AbortSignal): Promise<AccessChange>;
  /** Writes our marker on a home that has none (`registry adopt`). @throws TenancyError `TENANCY_NAME_TAKEN` where another's is on it. */
  mark(target: TenantTarget): Promise<void>;
  /** What a person types into the engine's shell to put the marker on, who is sure whose the home is. */
  markCommand(target: TenantTarget): string;
  /** What takes any marker off. */
  unmarkCommand(name: string): string;
  /** Homes on the cluster in the order of their names, bytewise, the engine's own left out. Keyset: start after `after`. */
  list(page: {
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly { readonly name: string; readonly marker: Marker | null }[]>;
  /**
   * Names of those of these homes that carry their marker and have exactly the history of this digest, with nothing interrupted in it: all of
   * them in a question or two. Left out where an engine can only be asked home by home. Reads only.
   */
  findAt?(targets: readonly TenantTarget[], digest: string): Promise<ReadonlySet<string>>;
  /** What is in a home that is the target's, to be compared with another's. Enters it; reads only. */
  inspect(target: TenantTarget, what: { readonly structure: boolean }, signal: AbortSignal): Promise<HomeInspection>;
  /**
   * Mends one thing that `inspect` named, if it is still as it was: rebuilds an index that isn't valid, takes a right away. The answer says what was done.
   * @throws the engine's own error; what was there before is there still then.
   */
  mend?(target: TenantTarget, what: Mendable, limits: Pick<SessionOptions, 'lockTimeoutMs' | 'signal'>): Promise<string>;
  /** A URL for the application and for child processes: bound to the tenant's schema or database. Carries the secret of the cluster's URL. */
  connectionUrl(target: TenantTarget): string;
  /** The database that the tenant lives in: its own, or the one that schema tenants share. */
  databaseName(target: TenantTarget): string;
  /** What a person types into a shell to look inside, without a password. `url`: `connectionUrl`, redacted. */
  clientCommand(target: TenantTarget, url: string): string;
  /** Where SQL isn't the engine's language: the client library's own handle on the tenant's database, under the cluster's budget. */
  nativeDatabase?(target: TenantTarget): unknown;
  /** Dumps and loads a tenant by the engine's own tools. */
  readonly backups?: BackupDriver;
  /**
   * Lends a session bound to the tenant, on one connection of the cluster's budget, and takes it back clean afterwards.
   * Waits while the budget is spent. On abort the running statement is cancelled and the connection destroyed.
   */
  withSession<T>(target: TenantTarget, options: SessionOptions, use: (session: TenantSession) => Promise<T>): Promise<T>;
}

/**
 * Logins of one tenant, each with rights on its home only; the home and all in it stay the tool's. Their names are `loginNames` of the
 * target's marker, and only what carries our marker (in PostgreSQL a COMMENT on the role) is ever touched.
 */
export interface LoginDriver {
  /** What the engine is told of a password, for people: a verifier, a digest, the password itself. */
  readonly sends: string;
  /**
   * Makes the login, or gives the one there is this password and lets it in; with the rights on what the home has and on what migrations will make in it.
   * The server is never sent the password where it takes something else.
   * @throws TenancyError `TENANCY_LOGIN_TAKEN` where something that isn't ours has the name.
   */
  ensure(target: TenantTarget, login: LoginCredential, signal: AbortSignal): Promise<'created' | 'changed'>;
  /** Gives the rights once more that `ensure` gives, to logins that are there. */
  grant(target: TenantTarget, signal: AbortSignal): Promise<void>;
  /**
   * Logs in, and looks at what can be seen.
   * @throws TenancyError `TENANCY_LOGIN_UNVERIFIED`
   */
  check(target: TenantTarget, login: LoginCredential, signal: AbortSignal): Promise<void>;
  /** Keeps these out, all where none are named, and ends their sessions. The answer names those that there are. */
  lock(target: TenantTarget, names: readonly string[] | null, signal: AbortSignal): Promise<readonly string[]>;
  /** Lets these in again. */
  unlock(target: TenantTarget, names: readonly string[], signal: AbortSignal): Promise<void>;
  /** Those that there are. Reads only. */
  list(target: TenantTarget): Promise<readonly { readonly name: string; readonly isLocked: boolean }[]>;
  /** Removes all of them, and every right that they have; the home may be gone already. */
  drop(target: TenantTarget, signal: AbortSignal): Promise<readonly string[]>;
  /** What the application connects by. Carries the password. */
  connectionUrl(target: TenantTarget, login: LoginCredential): string;
}

export interface LoginCredential {
  readonly name: string;
  readonly password: string;
}

/** Complete homes that nobody can enter, to be copied. */
export interface TemplateDriver {
  /** One that is complete, and ours; null for any other. Reads only. */
  find(name: string, registry: string): Promise<HomeTemplate | null>;
  /** Makes a template of a home that is complete. It has its name from that moment on, and not before. Finds it done where it was. */
  seal(home: TenantTarget, name: string, signal: AbortSignal): Promise<void>;
  /** Drops a template of this registry, or what is left of one; anything else is left alone. Waits for those who are copying it. */
  drop(name: string, registry: string, signal: AbortSignal): Promise<'dropped' | 'absent'>;
}

export interface HomeTemplate {
  readonly name: string;
  readonly registry: string;
  /** How it is best copied, by its size and the server's version; null where there is but one way. */
  readonly strategy: 'wal_log' | 'file_copy' | null;
}

/** Differences between engines are declared, not sniffed from names. */
export interface DriverCapabilities {
  readonly engine: EngineName;
  /** The DDL of a migration and its history row commit together. */
  readonly supportsTransactionalDdl: boolean;
  /** A home can be made under a working name, marked and renamed. */
  readonly supportsRename: boolean;
  /** `cutAccess` is enforced by the engine for a tenant without a login of its own. */
  readonly supportsCutAccess: boolean;
  /** Tenants share one database, and so its lock table, extensions and connection pool. */
  readonly isSharedDatabase: boolean;
  /** Sentences for people who come from another engine: what a migration or a drop can't promise here. */
  readonly caveats: readonly string[];
}

export type EngineName = 'postgres' | 'mysql' | 'mongodb';

export interface TenantTarget extends Pick<Placement, 'name'> {
  readonly marker: Marker;
}

/** Written on what we create (in PostgreSQL a COMMENT); only what carries it is adopted or dropped. */
export interface Marker {
  readonly tenant: string;
  /** The registry's own id: two registries on one server never take each other's tenants. */
  readonly registry: string;
  /** The operation that created it; also tells incarnations apart. */
  readonly operation: string;
}

/**
 * `ours`: tenant, registry and operation agree. `other`: a marker that differs. `unmarked`: somebody else's, or never adopted.
 * `partial`: our operation began to make or to drop it and was interrupted; `create` or `drop` finishes. `retained`: ours, and closed by `retain`.
 */
export type Presence =
  | { readonly status: 'absent' | 'retained' }
  | { readonly status: 'ours' | 'partial'; readonly isEmpty: boolean }
  | { readonly status: 'other'; readonly marker: Marker }
  | { readonly status: 'unmarked'; readonly isEmpty: boolean };

export interface BegunHome {
  /** As it is on the server: a working name, or the home's own. */
  readonly shown: string;
  /** What a target has to be called for `drop` to take this away and nothing else. */
  readonly name: string;
  /** Null where only the operation is known. */
  readonly tenant: string | null;
  readonly operation: string;
  /** It stands for the home itself, and not for something beside it. */
  readonly isHome: boolean;
}

/** What of a home can be told from another's. */
export interface HomeInspection {
  /** Everything that migrations make, in a fixed order; null where it was not asked for. Comments, rows, owners and rights are left out. */
  readonly structure: readonly StructureItem[] | null;
  /** How the engine writes the home's own name in the definitions of `structure`. */
  readonly nameInText: string;
  /** The same between quotation marks, as a migration may have written it. */
  readonly quotedName: string;
  /** Those that the engine doesn't use, and that stand for a rebuild that was broken off. */
  readonly invalidIndexes: readonly { readonly name: string; readonly table: string; readonly canMend: boolean }[];
  /** On the home itself and not on what is in it; its owner's are left out. */
  readonly rights: readonly HomeRight[];
  /** What the tenant's own logins lack of what `logins.grant` gives, the first of it; empty where it has none. */
  readonly lacking: readonly string[];
}

export interface StructureItem {
  /** In the engine's words: `table`, `column`, `index`, `validator`. */
  readonly kind: string;
  readonly name: string;
  /** What it is a part of: `table invoices`; what is said of that is said of it too. */
  readonly of: string | null;
  /** All that makes it different from another of its name. */
  readonly definition: string;
  /** The engine makes it by itself for whoever writes into it: one that the migrations don't make is no drift. @default false */
  readonly isImplicit?: boolean;
}

export interface HomeRight {
  /** Null: everybody. */
  readonly grantee: string | null;
  /** On what, and which: `USAGE on the schema`. Doesn't name the home. */
  readonly right: string;
  /** What takes it away: a statement, where `mend` can send it. */
  readonly revoke: string;
  /** Of a pattern that covers other homes too: one of them. */
  readonly covers?: string;
}

export type Mendable = { readonly type: 'index'; readonly name: string } | { readonly type: 'right'; readonly right: HomeRight };

export interface AccessChange {
  /** False: the tenant shares the application's login, so it was only marked in the registry. */
  readonly isEnforced: boolean;
  readonly detail: string;
}

export interface SessionOptions {
  /** The lease's fence: a session whose fence is smaller than the tenant's newest writes nothing. */
  readonly fence: number;
  readonly runId: string | null;
  readonly lockTimeoutMs: number;
  /** Null: none. */
  readonly statementTimeoutMs: number | null;
  readonly signal: AbortSignal;
}

/** One connection, bound to one tenant, for as long as `withSession` lends it. */
export interface TenantSession {
  /** For engines that speak SQL; elsewhere it refuses with `TENANCY_QUERY_REFUSED`. */
  readonly db: TenantDb;
  /** Reads the history from the tenant itself; an absent history table is an empty history, and nothing is written. */
  readHistory(): Promise<TenantHistory>;
  /**
   * Applies the steps in order, each with its history row (and the check of the fence) in a transaction of its own where the engine can,
   * all of them in as few round trips as the protocol allows. Creates the history where it isn't.
   * `expectedDigest`: `historyDigest` of what the caller planned on; where the tenant's differs nothing runs.
   * On failure what was applied before stays applied and recorded.
   * @throws MigrationFailure; TenancyError `TENANCY_HISTORY_MOVED`, `TENANCY_FENCE_LOST`, `TENANCY_MIGRATION_UNKNOWN`.
   */
  applyMigrations(steps: readonly LocalMigration[], options: ApplyOptions): Promise<readonly AppliedMigration[]>;
  /** Runs the down script of each, in the order given, and removes its history row. */
  revertMigrations(steps: readonly LocalMigration[], options: ApplyOptions): Promise<void>;
  /** Runs a seed exactly once: its name is recorded in the same transaction. False: it had been run before. */
  applySeed(
    seed: { readonly name: string; readonly checksum: string; readonly script: MigrationScript },
    options?: Partial<Pick<ApplyOptions, 'tenant' | 'publicTo' | 'log'>>,
  ): Promise<boolean>;
  /** Records migrations as applied without running them (`registry adopt --applied-up-to`), also in their mirror, where they have one and it lacks them. */
  recordApplied(migrations: readonly Pick<LocalMigration, 'name' | 'checksum' | 'mirror'>[]): Promise<void>;
  /** What the history of the tool that ran here before says (`_prisma_migrations`), in its order; without those that were rolled back. Reads only. */
  readMirror?(): Promise<readonly MirroredMigration[]>;
  /** Settles an interrupted statement: `applied` counts it as done, `rerun` sends it again with the next migrate. */
  resolveProgress(answer: 'applied' | 'rerun'): Promise<void>;
}

export interface MirroredMigration {
  /** As the tool has it. */
  readonly name: string;
  readonly checksum: string;
  /** False: it failed half way, or is being run. */
  readonly isFinished: boolean;
}

export interface ApplyOptions {
  readonly expectedDigest: string | null;
  readonly tenant: string;
  /** `tenant`: scripts that name the schema `public` mean the tenant's. Schema tenants only. @default null, refused */
  readonly publicTo?: 'tenant' | null;
  readonly onMigration: (migration: { readonly name: string; readonly ms: number }) => void;
  /** Told what the server says beside its answers too (notices, warnings), up to a thousand lines. */
  readonly log: (text: string) => void;
}

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
