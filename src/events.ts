import type { ExitCode } from './errors/define.js';
import type { FindingCode, FindingSeverity, FindingStatus } from './finding.js';
import type { OutcomeCounts, OutcomeError, TenantOutcome } from './outcome.js';
import type { PlannedCluster, PlannedGroup } from './planned.js';
import type { DrainReason, RunStop } from './run-stop.js';
import type { DriverName } from './tenant.js';
import type { Shard } from './util/shard.js';

/** `retain`: `deprovision --retain`, which drops nothing. */
export const RUN_COMMANDS = [
  'provision',
  'migrate',
  'rollback',
  'deprovision',
  'retain',
  'undelete',
  'purge',
  'suspend',
  'resume',
  'repair',
  'rotate',
  'adopt',
  'verify',
  'backup',
  'restore',
] as const;

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
  | 'retain'
  | 'unretain'
  | 'drop'
  | 'drop-access'
  | 'tombstone'
  | 'load'
  | 'mark'
  | 'repair'
  | 'create-login'
  | 'retire-login';

/** Everything that can happen; the core emits these, reporters put them into words. */
export type RunEvent =
  | {
      readonly type: 'run.started';
      readonly command: RunCommand;
      /** How many tenants were selected. */
      readonly selected: number;
      /** Of these, how many need no work: counted, never listed one by one. */
      readonly upToDate: number;
      /** Of a run that is gone on with: for how many of them it had an outcome before; in `upToDate` too. */
      readonly doneBefore?: number;
      readonly target: string | null;
      readonly concurrency: number;
      readonly clusters: Readonly<Record<string, { readonly tenants: number; readonly cap: number }>>;
      readonly dryRun: boolean;
      /** How many tenants each wave has, where the run goes in waves. */
      readonly waves?: readonly number[];
      /** With `--failed`: the run, or the shards of it, whose failed tenants were selected; empty where no run of this command failed any. */
      readonly failedIn?: readonly string[];
      /** With `--shard`: which part of the fleet this run keeps to. */
      readonly shard?: Shard;
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
      /** Of a deprovision that would begin with a backup of our own: where that would go, and what would make it. */
      readonly backup?: { readonly directory: string; readonly tool: string };
      /** Of a restore: the backup that it would be made of. `at` is when that was made, in ISO 8601. */
      readonly restored?: { readonly backup: string; readonly at: string; readonly path: string };
    }
  | {
      /** The end of a dry run of migrate or rollback: the plan as a whole, in a size that doesn't grow with the fleet. */
      readonly type: 'run.planned';
      /** Of the selected, how many are at each version now. */
      readonly versions: readonly { readonly schemaVersion: string | null; readonly tenants: number; readonly upToDate: number }[];
      readonly groups: readonly PlannedGroup[];
      readonly clusters: readonly PlannedCluster[];
      /** How long it would take, going by what `sampled` tenants took in these runs; null where no earlier run tells. */
      readonly estimate: { readonly ms: number; readonly sampled: number; readonly runs: readonly string[] } | null;
      /** The file that the plan was written to. */
      readonly saved: string | null;
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
      /** The tool has made a backup by itself: it lies there, whole, under its final name. */
      readonly type: 'backup.finished';
      readonly tenant: string;
      /** Its id, for `--from`. */
      readonly backup: string;
      readonly path: string;
      readonly sha256: string;
      readonly bytes: number;
    }
  | {
      readonly type: 'tenant.retried';
      readonly tenant: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: OutcomeError;
    }
  | {
      /** By `tenant verify`: what isn't as it should be. */
      readonly type: 'tenant.finding';
      /** Null: it is about no tenant that the registry knows. */
      readonly tenant: string | null;
      readonly cluster: string;
      readonly driver: DriverName;
      /** Of the schema or database. */
      readonly name: string;
      readonly code: FindingCode;
      readonly severity: FindingSeverity;
      readonly message: string;
      /** What mends it: a command, or what has to be done by hand; null where nothing has to be. */
      readonly repair: string | null;
      /** `--fix` does that. */
      readonly isFixable: boolean;
      readonly status: FindingStatus;
      /** What `--fix` did, or why it could not. */
      readonly detail?: string;
    }
  | ({ readonly type: 'tenant.finished' } & TenantOutcome)
  | {
      /** By `run pause`, from elsewhere: no more tenants are started until `run.resumed`. */
      readonly type: 'run.paused';
      readonly inFlight: number;
      readonly notStarted: number;
    }
  | {
      readonly type: 'run.resumed';
      /** For how long it was paused. */
      readonly ms: number;
      readonly notStarted: number;
    }
  | {
      /** By its throttle: no more tenants of this cluster are started until `cluster.released`. Those of others are. */
      readonly type: 'cluster.held';
      readonly cluster: string;
      readonly reason: string;
    }
  | {
      readonly type: 'cluster.released';
      readonly cluster: string;
      /** For how long it was held. */
      readonly ms: number;
    }
  | {
      readonly type: 'run.draining';
      readonly reason: DrainReason;
      readonly inFlight: number;
      readonly notStarted: number | null;
      /** The wave that the run is in, or has just finished. */
      readonly wave?: number;
      /** What a gate gave as its reason, or how many of the wave failed. */
      readonly detail?: string;
    }
  | { readonly type: 'wave.started'; readonly wave: number; readonly waves: number; readonly tenants: number }
  | {
      readonly type: 'wave.finished';
      readonly wave: number;
      readonly waves: number;
      /** Of the tenants of this wave. */
      readonly counts: OutcomeCounts;
      readonly ms: number;
      /** How long the run now waits before it asks the gate, and starts the next wave; 0 where it doesn't. */
      readonly soakMs: number;
    }
  | {
      readonly type: 'run.finished';
      readonly command: RunCommand | null;
      readonly counts: OutcomeCounts;
      /** Every tenant that failed, worst first. */
      readonly failed: readonly TenantOutcome[];
      readonly ms: number;
      readonly exitCode: ExitCode;
      /** What kept tenants from being started, where something did. */
      readonly stopped?: RunStop | undefined;
      /** What ended the whole run: a refusal, a wrong config, an unreachable registry. */
      readonly error?: OutcomeError | undefined;
    };

/** An event as it is written: a version of the format, the time (ISO 8601, UTC) and the id of the run. */
export type StampedRunEvent = RunEvent & { readonly v: 1; readonly at: string; readonly run: string | null };

export type EmitRunEvent = (event: RunEvent) => void;
