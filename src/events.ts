import type { ExitCode } from './errors/define.js';
import type { DriverName } from './tenant.js';

export const TENANT_OUTCOMES = ['applied', 'up-to-date', 'failed', 'unverified', 'unknown', 'skipped', 'cancelled', 'not-started'] as const;

/**
 * What became of one tenant in a run.
 * `unverified`: the hook ended well but the tenant did not reach the target; counts as failed.
 * `unknown`: a step that can't be probed was interrupted; counts as failed.
 * `skipped`: not in a state for this command. `cancelled`: aborted in flight. `not-started`: never reached.
 */
export type TenantOutcomeType = (typeof TENANT_OUTCOMES)[number];

export type OutcomeCounts = Readonly<Record<TenantOutcomeType, number>>;

/** Why a tenant failed, for people and machines. Carries no secret. */
export interface OutcomeError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** The step or hook that failed: create, migrate, seed, drop… */
  readonly hook: string | null;
  readonly retryable: boolean;
  /** Path of the tenant's log file, where a hook wrote one. */
  readonly log: string | null;
}

export interface TenantOutcome {
  readonly tenant: string;
  readonly cluster: string;
  readonly outcome: TenantOutcomeType;
  /** How often it was tried in this run; 0 when never started. */
  readonly attempts: number;
  /** Newest migration before and after; null where there was none, or it isn't known. */
  readonly from: string | null;
  readonly to: string | null;
  readonly ms: number;
  readonly error?: OutcomeError | undefined;
}

export const RUN_COMMANDS = ['provision', 'migrate', 'rollback', 'deprovision', 'suspend', 'resume', 'repair', 'adopt'] as const;

export type RunCommand = (typeof RUN_COMMANDS)[number];

/** Steps of one tenant, in the order in which a command takes them. */
export type StepName =
  | 'register'
  | 'create'
  | 'migrate'
  | 'rollback'
  | 'seed'
  | 'verify'
  | 'activate'
  | 'guard'
  | 'cut-access'
  | 'restore-access'
  | 'backup'
  | 'drop'
  | 'drop-access'
  | 'tombstone'
  | 'mark'
  | 'repair';

/** Everything that can happen; the core emits these, reporters put them into words. */
export type RunEvent =
  | {
      readonly type: 'run.started';
      readonly command: RunCommand;
      /** How many tenants were selected. */
      readonly selected: number;
      /** Of these, how many need no work: counted, never listed one by one. */
      readonly upToDate: number;
      readonly target: string | null;
      readonly concurrency: number;
      readonly clusters: Readonly<Record<string, { readonly tenants: number; readonly cap: number }>>;
      readonly dryRun: boolean;
    }
  | { readonly type: 'run.warned'; readonly code: string; readonly message: string; readonly tenant?: string }
  | { readonly type: 'tenant.started'; readonly tenant: string; readonly cluster: string; readonly steps: readonly StepName[] }
  | {
      readonly type: 'tenant.planned';
      readonly tenant: string;
      readonly cluster: string;
      readonly driver: DriverName;
      readonly name: string;
      readonly from: string | null;
      readonly to: string | null;
      readonly steps: readonly StepName[];
      readonly migrations: readonly string[];
    }
  | { readonly type: 'step.started'; readonly tenant: string; readonly step: StepName }
  | {
      readonly type: 'step.finished';
      readonly tenant: string;
      readonly step: StepName;
      /** `done-before`: an earlier command had done it, and nothing was repeated. */
      readonly status: 'done' | 'done-before' | 'failed';
      readonly ms: number;
      readonly detail?: string;
    }
  | {
      readonly type: 'migration.finished';
      readonly tenant: string;
      readonly migration: string;
      readonly ms: number;
      readonly direction: 'up' | 'down';
    }
  | {
      /** Where a provisioned or adopted tenant lives: emitted once, before its `tenant.finished`, also where there was nothing to do. */
      readonly type: 'tenant.located';
      readonly tenant: string;
      readonly cluster: string;
      readonly driver: DriverName;
      readonly name: string;
      /** Bound to the tenant's schema or database; without the password. */
      readonly url: string;
      /** What to type to look inside: a line for a shell. */
      readonly connect: string;
      /** What has to be done first: start the embedded server, say. */
      readonly note?: string;
    }
  | {
      readonly type: 'tenant.retried';
      readonly tenant: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: OutcomeError;
    }
  | ({ readonly type: 'tenant.finished' } & TenantOutcome)
  | {
      readonly type: 'run.draining';
      readonly reason: 'interrupted' | 'terminated' | 'max-failures' | 'resources' | 'lease-lost';
      readonly inFlight: number;
      readonly notStarted: number | null;
    }
  | {
      readonly type: 'run.finished';
      readonly command: RunCommand | null;
      readonly counts: OutcomeCounts;
      /** Every tenant that failed, worst first. */
      readonly failed: readonly TenantOutcome[];
      readonly ms: number;
      readonly exitCode: ExitCode;
      /** What ended the whole run: a refusal, a wrong config, an unreachable registry. */
      readonly error?: OutcomeError | undefined;
    };

/** An event as it is written: a version of the format, the time (ISO 8601, UTC) and the id of the run. */
export type StampedRunEvent = RunEvent & { readonly v: 1; readonly at: string; readonly run: string | null };

export type EmitRunEvent = (event: RunEvent) => void;
