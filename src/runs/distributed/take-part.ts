import type { StepName } from '../../events.js';
import type { SlotHold } from '../../executors/slot-hold.js';
import { isBudgetSpent } from '../../fleet/failure-budget.js';
import { FAILED_OUTCOMES, isFailure } from '../../fleet/tally.js';
import type { Throttle } from '../../fleet/throttle.js';
import { migrateTenant } from '../../lifecycle/migrate.js';
import { noJournal } from '../../lifecycle/steps.js';
import type { TenantOutcome } from '../../outcome.js';
import type { Run } from '../../registry/registry.js';
import type { DrainReason } from '../../run-stop.js';
import { sleep } from '../../util/abort.js';
import { createOwnerId } from '../../util/names.js';
import { readCaution } from '../caution.js';
import { createDraining } from '../draining.js';
import type { RunSignals } from '../execute-run.js';
import { heedControl } from '../heed-control.js';
import type { LeasedTenant } from '../leased-ahead.js';
import { createOutcomeWriter } from '../outcome-writer.js';
import { throttleCluster } from '../throttle-clusters.js';
import { workOnTenant } from '../work-on-tenant.js';
import type { Workspace } from '../workspace.js';
import { awaitPredecessors, ownerOfWorker } from './await-predecessors.js';
import { ownerOfRun, readTenantsOfRun, requireDistribution } from './deployment.js';
import { createLockedOut, type LockedOut } from './locked-out.js';
import { makeRunMigrator } from './run-migrator.js';
import { isOutOfRoom, OUT_OF_ROOM, settleRun } from './settle.js';
import { createTakenLine, type TakenLine } from './taken-line.js';

/** How long until it is looked again whether who is left has been let go of by its worker. */
const LOOK_MS = 500;
const COUNT_MS = 1_000;

/** What a worker has of one run, for as long as it holds slots of it. */
export interface Participation {
  /**
   * Works on one tenant of the cluster after the other until none is left, or nobody may be started any more. Rejects where the slot is to go to
   * somebody else: this worker rests, or the slot is lost. False: the run is being stopped, and the place has nowhere to go.
   */
  workSlot(hold: SlotHold): Promise<boolean>;
  close(): Promise<void>;
}

/** The worker is told to rest. What ends the run for everybody is another thing. */
const RESTING: ReadonlySet<DrainReason> = new Set(['interrupted', 'terminated']);

/** @param worker what this one is called in the queue */
export async function takePart(workspace: Workspace, kept: Run, worker: string, signals: RunSignals): Promise<Participation> {
  const registry = await workspace.registry();
  const distribution = requireDistribution(registry);
  const { options, id: runId, selected } = kept;
  const migrator = await makeRunMigrator(workspace, kept);
  const opened = workspace.openRun({
    command: kept.command,
    registry,
    migrator,
    limits: (options['limits'] ?? {}) as object,
    dryRun: false,
    runId,
    owner: `${ownerOfWorker(runId, worker)}${createOwnerId()}`,
  });
  const { run } = opened;
  const filter = readTenantsOfRun(kept);
  const steps: readonly StepName[] = [kept.command === 'rollback' ? 'rollback' : 'migrate'];
  const maxFailures = readCaution(kept).maxFailures ?? null;
  const lines = new Map<string, TakenLine>();
  const lockedOut = new Map<string, LockedOut>();
  const throttles = new Map<string, Throttle | undefined>();
  let inFlight = 0;

  const draining = createDraining(signals, ({ reason }) => run.emit({ type: 'run.draining', reason, inFlight, notStarted: null }));
  const writer = createOutcomeWriter(registry, runId, ({ tenant }) => run.leases.forget(tenant));
  const lineOf = (cluster: string): TakenLine => {
    const line = lines.get(cluster) ?? createTakenLine(run, distribution, { ...filter, clusters: [cluster] });
    lines.set(cluster, line);
    return line;
  };
  const lockedOutOf = (cluster: string): LockedOut => {
    const made = lockedOut.get(cluster) ?? createLockedOut(run, distribution, { ...filter, clusters: [cluster] }, endLockedOut);
    lockedOut.set(cluster, made);
    return made;
  };
  const giveBackAll = (): Promise<unknown> => Promise.all([...lines.values()].map((line) => line.giveBack()));
  const control = heedControl(run, {
    owner: ownerOfRun(runId),
    draining: draining.signal,
    countProgress: () => ({ inFlight, notStarted: 0 }),
    giveBack: async () => void (await giveBackAll()),
    onCancel: () => void drainAsAsked(),
    onAbort: () => draining.abort('cancelled'),
    // It has ended, or somebody goes on with it elsewhere.
    onTakenOver: () => draining.abort('lease-lost'),
  });
  const counting = setInterval(() => void countFailures().catch(() => undefined), COUNT_MS);

  async function countFailures(): Promise<void> {
    if (maxFailures === null || draining.signal.aborted) return;
    const counts = await registry.countOutcomes(runId);
    const failures = FAILED_OUTCOMES.reduce((sum, type) => sum + counts[type], 0);
    if (isBudgetSpent(maxFailures, failures, selected)) draining.drain('max-failures');
  }

  async function drainAsAsked(): Promise<void> {
    if (draining.signal.aborted) return;
    const isRoomless = await isOutOfRoom(registry, runId).catch(() => false);
    draining.drain(isRoomless ? 'resources' : 'cancelled');
  }

  /** The others would come to the same, each by a tenant of its own. */
  async function stopForAll(): Promise<void> {
    draining.drain('resources');
    await registry.controlRun(runId, { from: ['go-on', 'pause'], to: 'cancel', by: OUT_OF_ROOM }).catch(() => undefined);
  }

  function throttleOf(cluster: string): Throttle | undefined {
    if (!throttles.has(cluster))
      throttles.set(cluster, throttleCluster(run, cluster, { draining: draining.signal, giveBack: (name) => lineOf(name).giveBack() }));
    return throttles.get(cluster);
  }

  async function runOne(leased: LeasedTenant): Promise<void> {
    const { id, cluster } = leased.tenant;
    inFlight += 1;
    run.emit({ type: 'tenant.started', tenant: id, cluster, steps });
    try {
      const work = { journal: async () => noJournal, work: migrateTenant, recordsIdle: true, passesOnLost: true };
      const { outcome, errorClass } = await workOnTenant(run, work, leased, writer, {
        aborting: draining.aborting,
        givingBack: async () => undefined,
      });
      run.emit({ type: 'tenant.finished', ...outcome });
      lineOf(cluster).lastMs = outcome.ms;
      if (errorClass === 'resources') await stopForAll();
      if (isFailure(outcome.outcome)) {
        await writer.drain();
        await countFailures();
      }
    } finally {
      inFlight -= 1;
    }
  }

  async function endLockedOut(outcomes: readonly TenantOutcome[]): Promise<void> {
    if (outcomes.length === 0 || draining.signal.aborted) return;
    for (const outcome of outcomes) {
      const { tenant, cluster } = outcome;
      run.emit({ type: 'tenant.started', tenant, cluster, steps });
      run.emit({ type: 'tenant.finished', ...outcome });
      writer.write({ outcome, owner: run.leases.owner, fence: 0, lastError: null });
    }
    await writer.drain();
    await countFailures();
  }

  /** Until nobody is left, or nobody may be begun. */
  async function work(cluster: string, mayNotBegin: () => boolean): Promise<void> {
    while (!mayNotBegin()) {
      await control.admit();
      await throttleOf(cluster)?.admit();
      if (mayNotBegin()) return;
      const leased = await lineOf(cluster).next();
      if (leased === null) {
        // What is left is in the hands of others, who may die.
        await writer.drain();
        if (!(await lineOf(cluster).hasLeft())) return;
        await lockedOutOf(cluster).giveUp();
        await sleep(LOOK_MS, draining.signal).catch(() => undefined);
      } else if (mayNotBegin() || control.isHeld || throttleOf(cluster)?.isHeld) {
        await run.leases.release([leased.tenant.id]);
      } else await runOne(leased);
    }
  }

  /** Whoever is last ends the run. */
  async function settleIfOver(): Promise<void> {
    // By others, who have left since.
    await Promise.all([control.look(), countFailures().catch(() => undefined)]);
    const { cause } = draining;
    if (cause && (RESTING.has(cause.reason) || cause.reason === 'lease-lost')) return;
    await writer.drain();
    if (cause) await giveBackAll();
    await settleRun(registry, kept, cause);
  }

  // It may be paused, or over, since long before this worker came.
  await Promise.all([control.look(), countFailures().catch(() => undefined)]);

  return {
    workSlot: async (hold) => {
      const { cluster } = hold.slot;
      const line = lineOf(cluster);
      line.slots += 1;
      const mayNotBegin = (): boolean => hold.isLost() || draining.signal.aborted;
      try {
        await awaitPredecessors({ workspace, distribution, worker, resting: draining.signal }, hold);
        await work(cluster, mayNotBegin);
      } finally {
        line.slots -= 1;
        if (line.slots === 0) await line.giveBack().catch(() => undefined);
      }
      const reason = draining.cause?.reason;
      if (hold.isLost() || (reason !== undefined && RESTING.has(reason))) throw new Error('handed back');
      // The others, here or elsewhere, come to this when they leave.
      if ([...lines.values()].every(({ slots }) => slots === 0)) await settleIfOver();
      return draining.cause === null;
    },
    close: async () => {
      clearInterval(counting);
      draining.close();
      await control.close();
      await writer.drain().catch(() => undefined);
      await opened.close();
    },
  };
}
