import { TenancyError } from '../errors.js';
import type { OutcomeCounts, RunCommand, StepName, TenantOutcome } from '../events.js';
import { type FailureBudget, isBudgetSpent } from '../fleet/failure-budget.js';
import { type FleetLane, runFleet } from '../fleet/run-fleet.js';
import { isFailure, Tally } from '../fleet/tally.js';
import type { OnVersion } from '../lifecycle/migrator.js';
import type { RunContext, StepJournal, TenantScope, WorkResult } from '../lifecycle/run-context.js';
import { type Ending, runTenant } from '../lifecycle/run-tenant.js';
import { MIGRATABLE, TRANSITIONS, type Transition } from '../lifecycle/transitions.js';
import type { Tenant, TenantFailure } from '../tenant.js';
import { elapsedMs, monotonicMs, wallClock } from '../util/clock.js';
import { heedControl } from './heed-control.js';
import { type LeasedTenant, leaseAhead } from './leased-ahead.js';
import { createOutcomeWriter } from './outcome-writer.js';
import { type DrainReason, decideExitCode, INTERRUPTING, type RunReport, readDrainReason } from './report.js';

/** What a command asks of a run: which tenants, and what to do to each. */
export interface RunSpec {
  readonly selected: number;
  /** Of the selected, how many are known to need nothing; they are in no lane. */
  readonly upToDate: number;
  readonly lanes: readonly FleetLane<Tenant>[];
  readonly concurrency: number;
  readonly maxFailures: FailureBudget | null;
  readonly signals: RunSignals;
  steps(tenant: Tenant): readonly StepName[];
  journal(tenant: Tenant): Promise<StepJournal>;
  work(scope: TenantScope, onVersion: OnVersion): Promise<WorkResult>;
  /** Of a run that is gone on with: what became of its tenants before. */
  readonly before?: RunBefore;
  /** What a tenant becomes whose work failed; left out where it stays what it is. */
  readonly failAs?: Transition;
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

/** Carries a command out over its tenants, and keeps the record of it. */
export async function executeRun(run: RunContext, spec: RunSpec): Promise<RunReport> {
  const startedMs = monotonicMs();
  const tally = new Tally();
  if (spec.before) tally.takeUp(spec.before);
  else tally.count('up-to-date', spec.upToDate);
  const draining = new AbortController();
  let drained: DrainReason | null = null;
  let inFlight = 0;
  let started = 0;

  function drain(reason: DrainReason): void {
    if (draining.signal.aborted) return;
    drained = reason;
    draining.abort(reason);
    run.emit({ type: 'run.draining', reason, ...countProgress() });
  }
  const countProgress = () => ({ inFlight, notStarted: Math.max(0, spec.selected - spec.upToDate - started) });
  const onDrainAsked = (): void => drain(readDrainReason(spec.signals.drain));
  const aborting = new AbortController();
  const abort = (reason: DrainReason): void => {
    drain(reason);
    aborting.abort(new TenancyError('TENANCY_RUN_ABORTED', {}, { cause: spec.signals.abort.reason }));
  };
  const onAbortAsked = (): void => abort('interrupted');
  const unlisten = [listen(spec.signals.drain, onDrainAsked), listen(spec.signals.abort, onAbortAsked)];

  const ahead = new Set<string>();
  let givingBack: Promise<unknown> = Promise.resolve();
  const control = heedControl(run, {
    draining: draining.signal,
    countProgress,
    giveBack: async () => {
      givingBack = run.leases.release([...ahead].filter((id) => run.leases.holds(id)));
      await givingBack;
    },
    onCancel: () => drain('cancelled'),
    onAbort: () => abort('cancelled'),
    onTakenOver: () => abort('lease-lost'),
  });
  const writer = createOutcomeWriter(run.registry, run.runId, ({ tenant }) => run.leases.forget(tenant));

  async function runOne(leased: LeasedTenant): Promise<TenantOutcome> {
    const { tenant } = leased;
    ahead.delete(tenant.id);
    inFlight += 1;
    started += 1;
    run.emit({ type: 'tenant.started', tenant: tenant.id, cluster: tenant.cluster, steps: spec.steps(tenant) });
    const deadline = createDeadline(run, tenant);
    try {
      const ending = await workOn(run, spec, leased, AbortSignal.any([aborting.signal, deadline.signal]));
      if (ending.errorClass === 'resources') drain('resources');
      return ending.outcome;
    } finally {
      deadline.clear();
      inFlight -= 1;
    }
  }

  /** Waits for the lease, does the work, and hands the outcome to the writer. */
  async function workOn(
    context: RunContext,
    { work, journal }: RunSpec,
    { tenant: listed, listedAs, grant: first }: LeasedTenant,
    signal: AbortSignal,
  ): Promise<Ending> {
    let grant = first;
    let tenant = listed;
    let reached: WorkResult['version'];
    const ending = await runTenant(context, listed, signal, async (attempt) => {
      signal.throwIfAborted();
      // A further attempt takes the lease anew: it reads what the last one left, and its fence shuts out what that may still send.
      // So does a first one whose lease was given back while the run was paused.
      if (attempt > 1 || grant.status !== 'granted' || !context.leases.holds(listed.id)) {
        await givingBack.catch(() => undefined);
        grant = await context.leases.acquire(listed.id, context.limits.leaseWaitMs, signal);
      }
      tenant = grant.tenant;
      const isMigrating = context.command === 'migrate' || context.command === 'rollback';
      if (isMigrating && isRemovedSince(listedAs, tenant.status)) return skipRemoved(tenant);
      const engine = await context.clusters.engine(tenant.cluster, tenant.id);
      const driver = engine.driver(tenant.driver);
      const ended = new AbortController();
      const scope: TenantScope = {
        run: context,
        tenant,
        driver,
        target: { name: tenant.name, marker: { tenant: tenant.id, registry: context.registry.id, operation: tenant.homeOperationId } },
        fence: grant.fence,
        signal: AbortSignal.any([signal, context.leases.watch(tenant.id), ended.signal]),
        steps: await journal(tenant),
        log: (text) => context.logs.write(tenant.id, text),
      };
      try {
        return await work(scope, (version) => {
          reached = version;
        });
      } finally {
        // Whatever a hook started and didn't wait for ends with it.
        ended.abort(new TenancyError('TENANCY_RUN_ABORTED', {}));
      }
    });

    const version = ending.result?.version ?? reached;
    if (grant.status === 'granted') {
      const isIdle = ending.outcome.outcome === 'up-to-date' && tenant.lastError === null && isRecorded(tenant, version);
      if (isIdle) await context.leases.release([tenant.id]).catch(() => undefined);
      else {
        writer.write({
          outcome: ending.outcome,
          owner: context.leases.owner,
          fence: grant.fence,
          ...(version ? { version } : {}),
          lastError: isUntouched(context.command, ending.outcome) ? tenant.lastError : toFailure(ending.outcome),
          ...(spec.failAs && isFailure(ending.outcome.outcome) ? { transition: TRANSITIONS[spec.failAs] } : {}),
        });
      }
    } else writer.write({ outcome: ending.outcome, owner: context.leases.owner, fence: 0, lastError: null });
    return ending;
  }

  function settle(outcome: TenantOutcome): void {
    tally.add(outcome);
    run.emit({ type: 'tenant.finished', ...outcome });
    if (isFailure(outcome.outcome) && isBudgetSpent(spec.maxFailures, tally.failures, spec.selected)) drain('max-failures');
  }

  const lanes = spec.lanes.map((lane) => ({
    ...lane,
    tenants: leaseAhead(lane.tenants, run.leases, {
      handful: 2 * Math.min(lane.cap, spec.concurrency),
      isIdle: () => draining.signal.aborted || control.isHeld,
      ahead,
    }),
  }));

  try {
    await runFleet<LeasedTenant>({
      lanes,
      concurrency: spec.concurrency,
      drain: draining.signal,
      admit: control.admit,
      run: runOne,
      settle,
      skip: async ({ tenant, grant }) => {
        ahead.delete(tenant.id);
        if (grant.status === 'granted') await run.leases.release([tenant.id]).catch(() => undefined);
        const outcome: TenantOutcome = {
          tenant: tenant.id,
          cluster: tenant.cluster,
          outcome: 'not-started',
          attempts: 0,
          from: tenant.schemaVersion,
          to: null,
          ms: 0,
        };
        writer.write({ outcome, owner: run.leases.owner, fence: 0, lastError: null });
        settle(outcome);
      },
    });
  } finally {
    for (const stop of unlisten) stop();
    await control.close();
    await writer.drain();
  }

  // Counted at the start, and not listed any more when their turn came: another process has brought them there meanwhile, or removed them.
  tally.count('up-to-date', Math.max(0, spec.selected - tally.total));
  const counts = tally.counts;
  const exitCode = decideExitCode(spec.selected, tally.failed, drained);
  if (spec.lanes.length > 0 || spec.before)
    await run.registry.finishRun(run.runId, {
      status: drained !== null && INTERRUPTING.has(drained) ? 'interrupted' : 'finished',
      owner: run.leases.owner,
      reason: drained,
      counts,
      exitCode,
      notStarted: counts['not-started'],
    });
  return {
    runId: run.runId,
    command: run.command,
    selected: spec.selected,
    counts,
    failed: tally.failed,
    pending: 0,
    ms: elapsedMs(startedMs),
    exitCode,
  };
}

/** Calls back when the signal aborts, or at once where it has. The answer ends that: the signal may live longer than the run. */
function listen(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}

function isRecorded(tenant: Tenant, version: WorkResult['version']): boolean {
  return version === undefined || (version.schemaVersion === tenant.schemaVersion && version.migrationsHash === tenant.migrationsHash);
}

/** Somebody has deprovisioned it since it was listed, or is about to: their command goes before what was to be done here. */
function isRemovedSince(listed: Tenant['status'], now: Tenant['status']): boolean {
  return MIGRATABLE.includes(listed) && (now === 'deprovisioning' || now === 'deprovisioned');
}

function skipRemoved({ id, status, schemaVersion }: Tenant): WorkResult {
  const next = status === 'deprovisioned' ? 'there is nothing left of it' : `finish it: \`tenancy tenant deprovision ${id}\``;
  const error = new TenancyError('TENANCY_STATE_REFUSED', { tenant: id, status, command: 'migrated', next });
  return { outcome: 'skipped', from: schemaVersion, to: null, error };
}

/** `--timeout`, as a signal. */
function createDeadline(run: RunContext, tenant: Tenant): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const { timeoutMs } = run.limits;
  if (timeoutMs === null) return { signal: controller.signal, clear: () => undefined };
  const timer = setTimeout(
    () => controller.abort(new TenancyError('TENANCY_TIMEOUT_REACHED', { tenant: tenant.id, timeoutMs })),
    timeoutMs,
  );
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

/** What was known of the tenant still holds: it was refused before anything was done, or stopped, or only its access was changed. */
function isUntouched(command: RunCommand, { outcome, error }: TenantOutcome): boolean {
  const isRefused = error?.code === 'TENANCY_STATE_REFUSED' || error?.code === 'TENANCY_DEPROVISION_REFUSED';
  return isRefused || outcome === 'cancelled' || (outcome === 'applied' && (command === 'suspend' || command === 'resume'));
}

function toFailure({ outcome, error }: TenantOutcome): TenantFailure | null {
  if (!error || !isFailure(outcome)) return null;
  return { code: error.code, message: error.message, step: error.hook, at: wallClock().toISOString() };
}
