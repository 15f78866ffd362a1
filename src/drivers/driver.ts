import type { DriverName } from '../tenant.js';
import type { BackupDriver } from './backup-driver.js';
import type { HomeInspection, Mendable } from './home-inspection.js';
import type { LoginDriver } from './login-driver.js';
import type { SessionOptions, TenantSession } from './session.js';
import type { BegunHome, ListedHome, Marker, Presence, TenantTarget } from './target.js';

export type { BackupCheck, BackupDriver, BackupFormat, BackupSource, BackupTools, BackupWork, LeftByTool } from './backup-driver.js';
export type { ClusterEngine, ClusterFacts, ConnectionFacts, ErrorClass, OpenClusterOptions } from './cluster-engine.js';
export type { HomeInspection, HomeRight, Mendable, StructureItem } from './home-inspection.js';
export type { LoginCredential, LoginDriver, MarkedLogins } from './login-driver.js';
export type { ApplyOptions, MirroredMigration, SessionOptions, TenantSession } from './session.js';
export type { BegunHome, ListedHome, Marker, Presence, TenantTarget } from './target.js';

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
  create(target: TenantTarget, signal: AbortSignal, options?: CreateOptions): Promise<'created' | 'adopted' | 'copied'>;
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
  /** Whether `cutAccess` would shut anybody out, and why it wouldn't, without doing it. Reads only. */
  planCutAccess(target: TenantTarget): Promise<AccessChange>;
  restoreAccess(target: TenantTarget, signal: AbortSignal): Promise<AccessChange>;
  /**
   * Closes the home of a tenant that is to be kept and not to be reached, with all that is in it. Where that is enforced, a session that is in it
   * gets errors within a second from when this has ended, and nobody begins another. `probe` then says `retained`, and `drop` finds it as it is.
   * `operation`: the deprovision that it is for. Once that is over, a late attempt of it changes nothing.
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
  list(page: { readonly after: string | null; readonly limit: number }): Promise<readonly ListedHome[]>;
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

/** Complete homes that nobody can enter, to be copied. */
export interface TemplateDriver {
  /** One that is complete, and ours; null for any other. Reads only. */
  find(name: string, registry: string): Promise<HomeTemplate | null>;
  /** Makes a template of a home that is complete. It has its name from that moment on, and not before. Finds it done where it was. */
  seal(home: TenantTarget, name: string, signal: AbortSignal): Promise<void>;
  /** Drops a template of this registry, or what is left of one; anything else is left alone. Waits for those who are copying it. */
  drop(name: string, registry: string, signal: AbortSignal): Promise<'dropped' | 'absent'>;
}

export interface CreateOptions {
  readonly template?: HomeTemplate | null;
  /** What has to come through before anything is made; to look may begin meanwhile. @default nothing */
  readonly ready?: Promise<unknown>;
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

export interface AccessChange {
  /** False: the tenant shares the application's login, so it was only marked in the registry. */
  readonly isEnforced: boolean;
  readonly detail: string;
}
