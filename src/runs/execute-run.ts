import type { ExitCode } from '../errors/define.js';
import type { StepName } from '../events.js';
import { type FailureBudget, isBudgetSpent } from '../fleet/failure-budget.js';
import { type FleetLane, runFleet } from '../fleet/run-fleet.js';
import { isFailure, Tally } from '../fleet/tally.js';
import type { Throttle } from '../fleet/throttle.js';
import type { RunContext } from '../lifecycle/run-context.js';
import type { OutcomeCounts, TenantOutcome } from '../outcome.js';
import type { RunStop } from '../run-stop.js';
import type { Tenant } from '../tenant.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';
import { createDraining, type DrainCause } from './draining.js';
import { heedControl } from './heed-control.js';
import { createLeasesAhead, type LeasedTenant, leaseAhead } from './leased-ahead.js';
import { createOutcomeWriter } from './outcome-writer.js';
import { decideExitCode, INTERRUPTING, type RunReport } from './report.js';
import { runWaves, type WaveSpec } from './run-waves.js';
import { throttleCluster } from './throttle-clusters.js';
import { passOver, type WorkSpec, workOnTenant } from './work-on-tenant.js';

/** What a command asks of a run: which tenants, and what to do to each. */
export interface RunSpec extends WorkSpec {
  readonly selected: number;
  /** Of the selected, how many are known to need nothing; they are in no lane. */
  readonly upToDate: number;
  readonly lanes: readonly FleetLane<Tenant>[];
  readonly concurrency: number;
  readonly maxFailures: FailureBudget | null;
  /** Left out: all at once. With waves, the lanes are gone through once for each, and before. */
  readonly waves?: WaveSpec;
  readonly signals: RunSignals;
  /** The run is being entered in the registry while leases are taken: no tenant has its turn before. @default it has been entered */
  readonly opened?: Promise<void>;
  /** Each cluster by what its config says. @default false, the tenants are started as places come free */
  readonly isThrottled?: boolean;
  /** What the run exits with where it came to its own end. @default `decideExitCode` */
  readonly decideExit?: (selected: number, failed: readonly TenantOutcome[]) => ExitCode;
  steps(tenant: Tenant): readonly StepName[];
  /** Of a run that is gone on with: what became of its tenants before. */
  readonly before?: RunBefore;
  /**
   * Asked once all others have had their turn, and again after those that it names: who has come along meanwhile. Not of a run that is stopped.
   * @param hadTheirTurn without having been brought any further
   */
  readonly findLatecomers?: (hadTheirTurn: ReadonlySet<string>) => Promise<readonly FleetLane<Tenant>[]>;
  /** Of so many that were selected and not listed any more when their turn came, how many have been removed. @default none */
  readonly countRemoved?: (missing: number) => Promise<number>;
}

export interface RunBefore {
  readonly counts: OutcomeCounts;
  readonly failed: readonly TenantOutcome[];
}

/** `drain`: start no more tenants; with the reason `terminated` it was SIGTERM. `abort`: stop those in flight too. */
export interface RunSignals {
  readonly drain: AbortSignal;
  readonly abort: AbortSignal;
}

/** As a rule the first pass finds nobody. In a fleet that somebody keeps adding to, a run has to end all the same. */
const MOST_LATE_PASSES = 3;

const ALL_AT_ONCE: WaveSpec = { sizes: [], soakMs: 0, gate: null };

/** Carries a command out over its tenants, and keeps the record of it. */
export async function executeRun(run: RunContext, spec: RunSpec): Promise<RunReport> {
  const startedMs = monotonicMs();
  const tally = new Tally();
  if (spec.before) tally.takeUp(spec.before);
  else tally.count('up-to-date', spec.upToDate);
  let inFlight = 0;
  let started = 0;
  let selected = spec.selected;
  const hadTheirTurn = new Set<string>();

  const countProgress = () => ({ inFlight, notStarted: Math.max(0, spec.selected - spec.upToDate - started) });
  const draining = createDraining(spec.signals, ({ reason, wave, detail }) => {
    const where = { ...(wave === null ? {} : { wave }), ...(detail === null ? {} : { detail }) };
    run.emit({ type: 'run.draining', reason, ...countProgress(), ...where });
  });
  const ahead = createLeasesAhead(run.leases);
  const opened = spec.opened ?? Promise.resolve();
  const control = heedControl(run, {
    opened,
    draining: draining.signal,
    countProgress,
    giveBack: () => ahead.giveBack(),
    onCancel: () => draining.drain('cancelled'),
    onAbort: () => draining.abort('cancelled'),
    onTakenOver: () => draining.abort('lease-lost'),
  });
  const writer = createOutcomeWriter(run.registry, run.runId, ({ tenant }) => run.leases.forget(tenant));

  async function runOne(leased: LeasedTenant): Promise<TenantOutcome> {
    await opened;
    const { id, cluster } = leased.tenant;
    ahead.on(cluster).delete(id);
    inFlight += 1;
    started += 1;
    run.emit({ type: 'tenant.started', tenant: id, cluster, steps: spec.steps(leased.tenant) });
    try {
      const ending = await workOnTenant(run, spec, leased, writer, { aborting: draining.aborting, givingBack: ahead.givingBack });
      if (ending.errorClass === 'resources') draining.drain('resources');
      return ending.outcome;
    } finally {
      inFlight -= 1;
    }
  }

  function settle(outcome: TenantOutcome): void {
    tally.add(outcome);
    if (spec.findLatecomers && outcome.outcome !== 'applied' && outcome.outcome !== 'not-started') hadTheirTurn.add(outcome.tenant);
    run.emit({ type: 'tenant.finished', ...outcome });
    if (isFailure(outcome.outcome) && isBudgetSpent(spec.maxFailures, tally.failures, spec.selected)) draining.drain('max-failures');
  }

  const throttles = new Map<string, Throttle | undefined>();
  const throttleOf = (name: string): Throttle | undefined => {
    if (spec.isThrottled && !throttles.has(name))
      throttles.set(name, throttleCluster(run, name, { draining: draining.signal, giveBack: (cluster) => ahead.giveBack([cluster]) }));
    return throttles.get(name);
  };

  async function runLanes(lanes: readonly FleetLane<Tenant>[], onOutcome: (outcome: TenantOutcome) => void): Promise<void> {
    const settleBoth = (outcome: TenantOutcome): void => {
      settle(outcome);
      onOutcome(outcome);
    };
    await runFleet<LeasedTenant>({
      lanes: lanes.map((lane) => ({
        ...lane,
        throttle: throttleOf(lane.name),
        tenants: leaseAhead(lane.tenants, run.leases, {
          handful: 2 * Math.min(lane.cap, spec.concurrency),
          isIdle: () => draining.signal.aborted || control.isHeld || throttleOf(lane.name)?.isHeld === true,
          ahead: ahead.on(lane.name),
        }),
      })),
      concurrency: spec.concurrency,
      drain: draining.signal,
      admit: control.admit,
      run: runOne,
      settle: settleBoth,
      skip: async (leased) => {
        await opened;
        ahead.on(leased.tenant.cluster).delete(leased.tenant.id);
        settleBoth(await passOver(run, leased, writer));
      },
    });
  }

  async function tallyUnlisted(): Promise<void> {
    const missing = selected - tally.total;
    if (missing <= 0) return;
    await opened;
    // Of all that a run says this is the least: where the registry doesn't answer, what comes next says so.
    const removed = (await spec.countRemoved?.(missing).catch(() => 0)) ?? 0;
    tally.count('skipped', removed);
    tally.count('up-to-date', missing - removed);
  }

  async function runLatecomers(): Promise<void> {
    for (let pass = 0; pass < MOST_LATE_PASSES && !draining.signal.aborted; pass += 1) {
      // Who failed last, and who is where, the registry knows only then.
      await writer.drain();
      const lanes = (await spec.findLatecomers?.(hadTheirTurn)) ?? [];
      if (lanes.length === 0) return;
      await runLanes(lanes, () => {
        selected += 1;
      });
    }
  }

  try {
    const { runId, emit } = run;
    const { lanes, maxFailures, waves = ALL_AT_ONCE } = spec;
    await runWaves({ ...waves, runId, lanes, maxFailures, draining, emit, runLanes });
    // Counted at the start, and not listed any more when their turn came: another process has brought them there meanwhile, or removed them.
    await tallyUnlisted();
    if (lanes.length > 0) await runLatecomers();
    await opened;
  } finally {
    draining.close();
    await control.close();
    await writer.drain();
  }

  return recordEnd(run, spec, { selected, tally, cause: draining.cause, startedMs });
}

async function recordEnd(
  run: RunContext,
  { lanes, before, decideExit }: RunSpec,
  end: { readonly selected: number; readonly tally: Tally; readonly cause: DrainCause | null; readonly startedMs: number },
): Promise<RunReport> {
  const { selected, cause } = end;
  const { counts, failed } = end.tally;
  const reason = cause?.reason ?? null;
  const exitCode = cause === null && decideExit ? decideExit(selected, failed) : decideExitCode(selected, failed, reason);
  const stopped = cause && describeStop(cause, counts['not-started']);
  if (lanes.length > 0 || before) {
    await run.registry.finishRun(run.runId, {
      status: cause && INTERRUPTING.has(cause.reason) ? 'interrupted' : 'finished',
      owner: run.leases.owner,
      reason,
      counts,
      exitCode,
      notStarted: counts['not-started'],
      stopped,
    });
  }
  const { runId, command } = run;
  return { runId, command, selected, counts, failed, stopped, pending: 0, ms: elapsedMs(end.startedMs), exitCode };
}

function describeStop({ reason, wave, waves, detail }: DrainCause, notStarted: number): RunStop {
  return { reason, wave, waves, detail, notStarted };
}
