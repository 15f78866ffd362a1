import type { ResolvedConfig } from '../config/types.js';
import type { TenantDriver, TenantTarget } from '../drivers/driver.js';
import type { EmitRunEvent, RunCommand, StepName } from '../events.js';
import type { NewStepRecord, Registry, TenantChange, TenantTouch } from '../registry/registry.js';
import type { Tenant } from '../tenant.js';
import type { TenantLogs } from '../util/tenant-logs.js';
import type { Clusters } from './clusters.js';
import type { LeaseKeeper } from './leases.js';
import type { RunMigrator } from './migrator.js';
import type { TemplateBook } from './templates.js';

/** What all tenants of one run share. */
export interface RunContext {
  readonly runId: string;
  readonly command: RunCommand;
  /** Of the machine that this process runs on. */
  readonly host: string;
  readonly config: ResolvedConfig;
  readonly registry: Registry;
  readonly clusters: Clusters;
  readonly leases: LeaseKeeper;
  readonly migrator: RunMigrator;
  readonly logs: TenantLogs;
  readonly limits: RunLimits;
  readonly emit: EmitRunEvent;
  readonly templates: TemplateBook;
  /** Batched `registry.updateTenants`; null where the compare-and-set did not match. */
  changeTenant(change: TenantChange): Promise<Tenant | null>;
  /** Batched `registry.recordSteps`. */
  recordSteps(steps: readonly NewStepRecord[]): Promise<void>;
  readonly dryRun: boolean;
}

export interface RunLimits {
  readonly retries: number;
  readonly timeoutMs: number | null;
  readonly lockTimeoutMs: number;
  readonly statementTimeoutMs: number | null;
  readonly leaseWaitMs: number;
}

/** One tenant in the hands of this process: its lease is held, and nothing is written without it. */
export interface TenantScope {
  readonly run: RunContext;
  readonly tenant: Tenant;
  readonly driver: TenantDriver;
  readonly target: TenantTarget;
  readonly fence: number;
  /** Aborts on the second Ctrl-C, at `--timeout`, and when the lease is lost. */
  readonly signal: AbortSignal;
  readonly steps: StepJournal;
  /** What was sent to the tenant's database in this run, for the audit trail; added to by `touch`. */
  readonly touched: TenantTouch[];
  log(text: string): void;
}

/** Which steps an earlier attempt of the same operation finished, and the writing of new ones. */
export interface StepJournal {
  isDone(step: StepName): boolean;
  /** An earlier attempt began it, whatever came of it. */
  hasBegun(step: StepName): boolean;
  started(step: StepName): Promise<void>;
  finished(step: StepName): Promise<void>;
  failed(step: StepName, error: string): Promise<void>;
  /** Writes what is still to be written; called before the operation ends. */
  flush(): Promise<void>;
}

/** What a piece of work made of one tenant; `run-tenant.ts` makes the outcome of it. */
export interface WorkResult {
  readonly outcome: 'applied' | 'up-to-date' | 'skipped' | 'unverified';
  readonly from: string | null;
  readonly to: string | null;
  /** What the tenant now has, for the registry; left out where it isn't known or didn't change. */
  readonly version?: { readonly schemaVersion: string | null; readonly migrationsHash: string };
  /** The last error that is recorded of the tenant is over. @default false, of a command that doesn't touch it */
  readonly clearsError?: boolean;
  /** For `skipped` and `unverified`. */
  readonly error?: Error;
}

export type TenantWork = (scope: TenantScope) => Promise<WorkResult>;
