import type { TenantOutcomeType } from '../outcome.js';
import type { DriverName, Placement, Tenant, TenantFailure, TenantId, TenantLogin, TenantOperation, TenantStatus } from '../tenant.js';
import type { Shard } from '../util/shard.js';
import type { AuditActor, AuditBook } from './audit.js';
import type { BackupBook } from './backups.js';
import type { RunDistribution } from './distribution.js';
import type { PreparedHomeBook } from './prepared-homes.js';
import type { RunBook } from './runs.js';

export type { AuditActor, AuditBook, AuditEvent, ChainedEvent, ChainHead, ChainPosition, TenantTouch } from './audit.js';
export type { Backup, NewBackup } from './backups.js';
export type { LeftTenants, RunDistribution } from './distribution.js';
export type { NewPreparedHome, PreparedHome } from './prepared-homes.js';
export type { NewRun, OutcomeRecord, Run, RunControl, RunControlChange } from './runs.js';

/**
 * The control plane: which tenants there are, where each lives, at which version, who works on it, and what was done.
 *
 * Guarantees every store gives:
 * - all times are the registry server's own clock, so clients' clocks don't matter;
 * - a change of state is a compare-and-set on status and fence; a caller whose fence is stale changes nothing and is told so;
 * - every batch method is atomic as a whole, and costs a number of round trips that doesn't grow with the batch (in PostgreSQL, one);
 * - ids are looked up exactly and are unique without case; `(cluster, name)` is unique without case over all tenants that aren't deprovisioned;
 * - it never stores a credential.
 *
 * The contract suite (`test/contract/registry-suite.ts`) is a part of this contract.
 */
export interface Registry extends RunBook, PreparedHomeBook, BackupBook, AuditBook {
  /** Made when the registry was created; part of every marker. */
  readonly id: string;
  /** Redacted, for messages. */
  readonly where: string;

  /** Throws `TENANCY_REGISTRY_DAMAGED` where a table of the registry's own is gone, and names each. Reads only. */
  checkTables(): Promise<void>;

  /** Remembers the identity of a cluster, or compares it with the one remembered; in a dry run it only compares. */
  checkCluster(
    cluster: string,
    identity: string,
    options: { readonly accept: boolean; readonly dryRun?: boolean },
  ): Promise<{ readonly status: 'new' | 'same' | 'accepted' } | { readonly status: 'different'; readonly known: string }>;

  findTenant(id: string): Promise<Tenant | null>;
  /** Ids like this one, nearest first, at most three; one that differs only in case comes first. */
  suggestTenants(id: string): Promise<readonly string[]>;
  /** One keyset page in the order of (bytewise) ids. */
  listTenants(filter: TenantFilter, page: { readonly after: string | null; readonly limit: number }): Promise<readonly Tenant[]>;
  countTenants(filter: TenantFilter): Promise<number>;
  /** Of all that the filter selects: how many for each (status, cluster, driver, schemaVersion, migrationsHash), and how many with a last error. */
  summarize(filter: TenantFilter): Promise<readonly TenantSummary[]>;

  /**
   * Registers new tenants as `pending` (or a deprovisioned id as a new incarnation) and reads back those that exist.
   * @throws TenancyError `TENANCY_ID_TAKEN` (differs in case only), `TENANCY_PLACEMENT_TAKEN`, naming both tenants.
   */
  registerTenants(tenants: readonly NewTenant[]): Promise<readonly { readonly tenant: Tenant; readonly isNew: boolean }[]>;
  /** Throws what `registerTenants` would throw for these, and writes nothing; for dry runs. */
  refuseClashes(tenants: readonly NewTenant[]): Promise<void>;

  /**
   * Takes the lease of each tenant that is free, whose lease has expired or is already the owner's, with a new fence.
   * `missing`: no such tenant.
   */
  acquireLeases(ids: readonly string[], lease: LeaseRequest): Promise<readonly LeaseGrant[]>;
  /** Extends all leases of an owner; the answer is the ids it still holds. Also marks its runs as alive. */
  renewLeases(owner: string, ttlMs: number): Promise<readonly string[]>;
  releaseLeases(owner: string, ids: readonly string[]): Promise<void>;
  /** Takes a lease away whoever holds it; the answer says whose it was. */
  breakLease(id: string): Promise<{ readonly owner: string; readonly host: string; readonly since: Date } | null>;

  /**
   * Compare-and-set, each by its own fence and the statuses it may come from; with an entry in the audit trail for each.
   * The answer has the new rows; an id that is missing from it did not match.
   */
  updateTenants(changes: readonly TenantChange[]): Promise<readonly Tenant[]>;
  /** Ids that are registered and were never begun, or none of whose home exists, can be forgotten. */
  forgetTenant(id: string, fence: number): Promise<boolean>;

  readSteps(operationId: string): Promise<readonly StepRecord[]>;
  /** Upserts by (operation, step); several at once. Those of a fence that isn't the tenant's newest any more are left out. */
  recordSteps(steps: readonly NewStepRecord[]): Promise<void>;

  /** Left out where the store can't carry a run out from many processes. */
  readonly distribution?: RunDistribution;

  close(): Promise<void>;
}

export interface TenantFilter {
  /** Exactly these; those that aren't there are simply not in the answer. */
  readonly ids?: readonly string[];
  readonly exclude?: readonly string[];
  readonly statuses?: readonly TenantStatus[];
  readonly clusters?: readonly string[];
  /** All of them must agree. */
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Leaves out tenants in use whose recorded version and hash are these and that have no last error: nothing to do there. Those that are retained,
   * on their way in or out, or failed stay in: whoever names one is to be told.
   */
  readonly notAt?: { readonly schemaVersion: string | null; readonly migrationsHash: string };
  /** Tenants that are recorded with one of these versions and hashes. */
  readonly at?: readonly { readonly schemaVersion: string | null; readonly migrationsHash: string | null }[];
  readonly hasError?: boolean;
  /** Tenants of one part of the fleet, by a hash of their ids (`util/shard.ts`). */
  readonly shard?: Shard;
  /** Tenants of a run, or of any of several, with one of these outcomes. */
  readonly ofRun?: { readonly runId: string | readonly string[]; readonly outcomes: readonly TenantOutcomeType[] };
}

export interface TenantSummary {
  readonly status: TenantStatus;
  readonly cluster: string;
  readonly driver: DriverName;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly tenants: number;
  readonly withError: number;
}

export interface NewTenant extends Placement {
  readonly id: TenantId;
  readonly labels: Readonly<Record<string, string>>;
  readonly operation: TenantOperation;
  readonly credentialRef?: string | null;
}

export interface LeaseRequest {
  /** Random, one for each process. */
  readonly owner: string;
  readonly host: string;
  readonly ttlMs: number;
}

export type LeaseGrant =
  | { readonly id: string; readonly status: 'granted'; readonly fence: number; readonly tenant: Tenant }
  | {
      readonly id: string;
      readonly status: 'held';
      readonly owner: string;
      readonly host: string;
      readonly since: Date;
      readonly expiresInMs: number;
    }
  | { readonly id: string; readonly status: 'missing' };

export interface TenantChange {
  readonly id: string;
  /** Null: whatever the fence is (only for changes that no work depends on: protect, labels). */
  readonly fence: number | null;
  readonly from: readonly TenantStatus[];
  /** Matches only where the tenant's protection is this. @default either */
  readonly ifProtected?: boolean;
  /** Matches only where the time that the tenant is retained for has passed. @default either */
  readonly ifRetentionOver?: true;
  readonly to?: TenantStatus;
  readonly set?: Partial<{
    readonly isProtected: boolean;
    readonly labels: Readonly<Record<string, string>>;
    readonly schemaVersion: string | null;
    readonly migrationsHash: string | null;
    readonly lastError: TenantFailure | null;
    readonly operation: TenantOperation | null;
    readonly credentialRef: string | null;
    readonly login: TenantLogin | null;
    /** From now on, by the registry's clock; null takes it back. */
    readonly retainForMs: number | null;
  }>;
  readonly runId: string | null;
  /** What happened, for the audit trail: `tenant.activated`. */
  readonly event: string;
}

export interface StepRecord {
  readonly operationId: string;
  readonly tenant: string;
  readonly step: string;
  readonly state: 'started' | 'done' | 'failed';
  readonly attempt: number;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export type NewStepRecord = Pick<StepRecord, 'operationId' | 'tenant' | 'step' | 'state' | 'error'> & {
  readonly operation: TenantOperation['type'];
  /** Of the lease under which it is written. */
  readonly fence?: number;
};

export interface OpenRegistryOptions {
  readonly url: string;
  /** Only provision, `registry init` and `registry adopt` create one. */
  readonly create: boolean;
  readonly applicationName: string;
  /** Written with each event of the audit trail. @default nobody is named */
  readonly actor?: AuditActor;
  /** @default 2 */
  readonly maxConnections?: number;
  /** Told when its server has been asked for the first time, and is being waited for. */
  readonly onAsked?: () => void;
}
