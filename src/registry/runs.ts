import type { RunCommand } from '../events.js';
import type { OutcomeCounts, TenantOutcome, TenantOutcomeType } from '../outcome.js';
import type { RunStop } from '../run-stop.js';
import type { TenantFailure, TenantStatus } from '../tenant.js';
import type { TenantTouch } from './audit.js';

export interface NewRun {
  readonly id: string;
  readonly command: RunCommand;
  readonly owner: string;
  readonly host: string;
  readonly target: string | null;
  /** What was asked, redacted: selection and options, enough for `run retry`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly selected: number;
}

/** What is asked of a run, from another terminal or machine. `cancel`: drain it. `abort`: stop what is in flight too. */
export type RunControl = 'go-on' | 'pause' | 'cancel' | 'abort';

export interface RunControlChange {
  readonly from: readonly RunControl[];
  readonly to: RunControl;
  /** The host that asks. */
  readonly by: string;
}

export interface Run extends NewRun {
  /**
   * `paused`: its process holds. `interrupted` also where its process died: a run whose heartbeat is older than the lease.
   * `cancelled`: it was asked to end, from elsewhere.
   */
  readonly status: 'running' | 'paused' | 'finished' | 'interrupted' | 'cancelled';
  /** What is asked of it, and by which host. */
  readonly control: RunControl;
  readonly controlBy: string | null;
  /** Since when its process holds. */
  readonly pausedAt: Date | null;
  /** Why it ended early: `interrupted`, `cancelled`, `max-failures`. */
  readonly endReason: string | null;
  readonly counts: OutcomeCounts | null;
  readonly notStarted: number | null;
  readonly exitCode: number | null;
  /** What kept tenants from being started; null where nothing did, or it hasn't ended. */
  readonly stopped: RunStop | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export interface OutcomeRecord {
  readonly outcome: TenantOutcome;
  readonly owner: string;
  readonly fence: number;
  /** What the tenant now has; undefined leaves the recorded one. */
  readonly version?: { readonly schemaVersion: string | null; readonly migrationsHash: string };
  readonly lastError: TenantFailure | null;
  /** What was sent to the tenant's database, for the audit trail. */
  readonly touched?: readonly TenantTouch[];
  /** The status that a tenant in this one goes to, in the same statement. */
  readonly transition?: { readonly from: readonly TenantStatus[]; readonly to: TenantStatus };
}

/** The part of the registry's contract that is about runs: how each went, what became of its tenants, and what is asked of it from elsewhere. */
export interface RunBook {
  createRun(run: NewRun): Promise<void>;
  finishRun(
    id: string,
    end: {
      readonly status: 'finished' | 'interrupted';
      readonly counts: OutcomeCounts;
      readonly exitCode: number;
      readonly notStarted: number;
      /** Of the process that ends it: where another has taken the run over, nothing is changed. */
      readonly owner?: string;
      /** Why it ended early. */
      readonly reason?: string | null;
      readonly stopped?: RunStop | null;
    },
  ): Promise<void>;
  /** Asks something of a run whose process lives: a compare-and-set, with an entry in the audit trail. False where it did not match. */
  controlRun(id: string, change: RunControlChange): Promise<boolean>;
  /**
   * Of the process that carries a run out: says that it lives and whether it holds, and is told what is asked of it.
   * Null where the run is not this owner's any more, or has ended.
   */
  hearRun(id: string, hearing: { readonly owner: string; readonly ttlMs: number; readonly isHolding: boolean }): Promise<RunControl | null>;
  /** Makes a run that was interrupted, or whose process has died, this owner's, to be gone on with. Of several who try, one is told true. */
  takeOverRun(id: string, by: { readonly owner: string; readonly host: string }): Promise<boolean>;
  findRun(id: string): Promise<Run | null>;
  /** Newest first. `before`: a run's id. `command`: only runs of it. */
  listRuns(page: { readonly before: string | null; readonly limit: number; readonly command?: RunCommand }): Promise<readonly Run[]>;
  /**
   * Settles tenants of a run: outcome, version, last error and audit entry, and gives the lease back; one statement.
   * What one who lost the lease says of a tenant never takes the place of what another said of it in the same run.
   */
  recordOutcomes(runId: string, outcomes: readonly OutcomeRecord[]): Promise<void>;
  listOutcomes(
    runId: string,
    filter: { readonly outcomes?: readonly TenantOutcomeType[] },
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<readonly TenantOutcome[]>;

  /** How many tenants of a run have which outcome, of those that are recorded: none of those who had nothing to do. */
  countOutcomes(runId: string): Promise<OutcomeCounts>;
}
