import { TenancyError } from '../../errors.js';
import { Tally } from '../../fleet/tally.js';
import { LEASE_MS } from '../../lifecycle/leases.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { TenantOutcome } from '../../outcome.js';
import type { Run, RunControl } from '../../registry/registry.js';
import { sleep } from '../../util/abort.js';
import { elapsedMs, monotonicMs } from '../../util/clock.js';
import type { RunSignals } from '../execute-run.js';
import { decideExitCode, type RunReport } from '../report.js';
import { ownerOfRun, readTenantsOfRun, requireDistribution } from './deployment.js';
import { isOutOfRoom } from './out-of-room.js';
import { readFailed } from './read-failed.js';
import { QUIET_MS, settleRun } from './settle.js';

const LOOK_MS = 500;
/** Then it is said that nobody works on it. */
const PATIENCE_MS = 5_000;
/** An outcome that was told may come again for so long. */
const REMEMBER_MS = 30_000;

/** Nothing more is to be begun. */
const ENDING: ReadonlySet<RunControl> = new Set(['cancel', 'abort']);

export interface FollowOptions {
  readonly selected: number;
  /** Of them, how many needed nothing when the run began. */
  readonly upToDate: number;
  /** False: there was nothing to do, and so there is no run. */
  readonly hasWork: boolean;
  /** Told before what was recorded up to now, which isn't told again. */
  readonly isJoining?: boolean;
  /** Where the run goes. @default the target of its migrator */
  readonly target?: string | null;
  readonly signals: RunSignals;
}

/**
 * Tells what becomes of a run that workers carry out, as if it were carried out here, until it has ended. Nothing of it depends on anybody following:
 * a Ctrl-C ends the telling, not the run. @throws TenancyError `TENANCY_RUN_LEFT`
 */
export async function followRun(run: RunContext, options: FollowOptions): Promise<RunReport> {
  const { registry, runId, command } = run;
  const startedMs = monotonicMs();
  if (!options.hasWork) return reportNothing(run, options, startedMs);
  const distribution = requireDistribution(registry);
  const told = new Map<string, number>();
  const shown = new Set<string>();
  /** Who has been let go of, and is told of at the end of the run only: another worker may still bring it to its end. */
  const left = new Map<string, TenantOutcome>();
  let since: number | null = null;
  let control = 'go-on' as RunControl;
  let isTold = options.isJoining !== true;
  let inFlight = 0;
  /** Since when nobody has had anything in flight, or was found to have ended anything. */
  let quietSinceMs = monotonicMs();
  let pausedSinceMs: number | null = null;
  let isWarned = false;

  function start(tenant: string, cluster: string): void {
    if (shown.has(tenant)) return;
    shown.add(tenant);
    run.emit({ type: 'tenant.started', tenant, cluster, steps: [command === 'rollback' ? 'rollback' : 'migrate'] });
  }

  /** One with nothing to do is counted and not listed, as in any other run, unless it was seen to be worked on. */
  function tell(outcome: TenantOutcome): void {
    if (outcome.outcome === 'up-to-date' && !shown.has(outcome.tenant)) return;
    start(outcome.tenant, outcome.cluster);
    shown.delete(outcome.tenant);
    run.emit({ type: 'tenant.finished', ...outcome });
  }

  async function look(): Promise<void> {
    const recent = await distribution.listRecentOutcomes(runId, since);
    const nowMs = monotonicMs();
    for (const outcome of recent.outcomes) {
      // A worker that ended left it to the others.
      if (!isEnd(outcome)) left.set(outcome.tenant, outcome);
      else {
        left.delete(outcome.tenant);
        if (isTold && !told.has(outcome.tenant)) tell(outcome);
        told.set(outcome.tenant, nowMs);
      }
    }
    isTold = true;
    since = recent.now;
    for (const [tenant, atMs] of told) if (nowMs - atMs > REMEMBER_MS) told.delete(tenant);
    const working = await distribution.listInFlight(runId);
    for (const { id, cluster } of working) if (!told.has(id)) start(id, cluster);
    inFlight = working.length;
    if (recent.outcomes.length > 0 || inFlight > 0) quietSinceMs = nowMs;
  }

  async function countProgress(): Promise<{ readonly inFlight: number; readonly notStarted: number }> {
    const counts = await registry.countOutcomes(runId);
    const done = Object.values(counts).reduce((sum, count) => sum + count, 0) - counts['not-started'] - counts.cancelled;
    return { inFlight, notStarted: Math.max(0, options.selected - options.upToDate - done - inFlight) };
  }

  /** It also says that the run is being looked after where no worker is there yet. */
  async function hear(): Promise<void> {
    const heard = await registry.hearRun(runId, { owner: ownerOfRun(runId), ttlMs: LEASE_MS, isHolding: control === 'pause' });
    if (heard === null || heard === control) return;
    const before = control;
    control = heard;
    if (heard === 'pause') {
      pausedSinceMs = monotonicMs();
      run.emit({ type: 'run.paused', ...(await countProgress()) });
    } else if (heard === 'go-on') {
      const { notStarted } = await countProgress();
      run.emit({ type: 'run.resumed', ms: elapsedMs(pausedSinceMs ?? monotonicMs()), notStarted });
    } else if (!ENDING.has(before)) {
      // Its workers have yet to hear it.
      quietSinceMs = monotonicMs();
      const reason = (await isOutOfRoom(registry, runId)) ? 'resources' : 'cancelled';
      run.emit({ type: 'run.draining', reason, ...(await countProgress()) });
    }
  }

  /** Its workers, if there are any, wait for other commands: for all that is left. */
  async function isLockedOut(kept: Run): Promise<boolean> {
    const filter = readTenantsOfRun(kept);
    const held = await distribution.listHeldElsewhere(runId, filter);
    if (held.length === 0) return false;
    const left = await distribution.listLeft(runId, filter);
    return left.reduce((sum, { tenants }) => sum + tenants, 0) <= held.length;
  }

  for (;;) {
    const kept = await registry.findRun(runId);
    // Looked at first, so that what was recorded before the end is seen.
    await look();
    if (kept && kept.status !== 'running' && kept.status !== 'paused' && kept.finishedAt !== null) {
      for (const outcome of left.values()) tell(outcome);
      return report(run, kept, startedMs);
    }
    if (options.signals.drain.aborted) throw new TenancyError('TENANCY_RUN_LEFT', { run: runId });
    await hear();
    const quietMs = monotonicMs() - quietSinceMs;
    // Its workers end it. Where there are none nobody would.
    if (kept && ENDING.has(control) && quietMs > QUIET_MS && inFlight === 0)
      await settleRun(registry, kept, { reason: 'cancelled', detail: null });
    else if (kept && !isWarned && control === 'go-on' && quietMs > PATIENCE_MS && !(await isLockedOut(kept))) {
      isWarned = true;
      const { code, message, hint } = new TenancyError('TENANCY_WORKERS_MISSING', {
        run: runId,
        target: options.target ?? run.migrator.target ?? 'the newest',
      });
      run.emit({ type: 'run.warned', code, message: `${message}: ${hint}` });
    }
    await sleep(LOOK_MS, options.signals.drain).catch(() => undefined);
  }
}

function isEnd({ outcome }: TenantOutcome): boolean {
  return outcome !== 'cancelled' && outcome !== 'not-started';
}

function reportNothing({ runId, command }: RunContext, { selected, upToDate }: FollowOptions, startedMs: number): RunReport {
  const tally = new Tally();
  tally.count('up-to-date', upToDate);
  const { counts } = tally;
  return { runId, command, selected, counts, failed: [], stopped: null, pending: 0, ms: elapsedMs(startedMs), exitCode: 0 };
}

async function report({ runId, command, registry }: RunContext, kept: Run, startedMs: number): Promise<RunReport> {
  const { selected, stopped } = kept;
  const failed = await readFailed(registry, runId);
  const counts = kept.counts ?? new Tally().counts;
  const exitCode = decideExitCode(selected, failed, stopped?.reason ?? null);
  return { runId, command, selected, counts, failed, stopped, pending: 0, ms: elapsedMs(startedMs), exitCode };
}
