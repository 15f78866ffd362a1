import type { StepName } from '../../events.js';
import type { SlotHold } from '../../executors/slot-hold.js';
import { isFailure } from '../../fleet/tally.js';
import { migrateTenant } from '../../lifecycle/migrate.js';
import { noJournal } from '../../lifecycle/steps.js';
import type { TenantOutcome } from '../../outcome.js';
import type { Run } from '../../registry/registry.js';
import type { DrainReason } from '../../run-stop.js';
import { sleep } from '../../util/abort.js';
import { createOwnerId } from '../../util/names.js';
import { createDraining } from '../draining.js';
import type { RunSignals } from '../execute-run.js';
import { heedControl } from '../heed-control.js';
import type { LeasedTenant } from '../leased-ahead.js';
import { createOutcomeWriter } from '../outcome-writer.js';
import { workOnTenant } from '../work-on-tenant.js';
import type { Workspace } from '../workspace.js';
import { awaitPredecessors, ownerOfWorker } from './await-predecessors.js';
import { type ClusterShare, createClusterShares } from './cluster-shares.js';
import { ownerOfRun, readTenantsOfRun, requireDistribution } from './deployment.js';
import { drainAsAsked, stopForAll } from './out-of-room.js';
import { makeRunMigrator } from './run-migrator.js';
import { settleRun } from './settle.js';
import { watchFailures } from './watch-failures.js';

/** How long until it is looked again whether who is left has been let go of by its worker. */
const LOOK_MS = 500;

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
  const { options, id: runId } = kept;
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
  const steps: readonly StepName[] = [kept.command === 'rollback' ? 'rollback' : 'migrate'];
  let inFlight = 0;

  const draining = createDraining(signals, ({ reason }) => run.emit({ type: 'run.draining', reason, inFlight, notStarted: null }));
  const writer = createOutcomeWriter(registry, runId, ({ tenant }) => run.leases.forget(tenant));
  const failures = watchFailures(registry, kept, draining);
  const shares = createClusterShares(run, distribution, { filter: readTenantsOfRun(kept), draining: draining.signal, endLockedOut });
  const control = heedControl(run, {
    owner: ownerOfRun(runId),
    draining: draining.signal,
    countProgress: () => ({ inFlight, notStarted: 0 }),
    giveBack: shares.giveBack,
    onCancel: () => void drainAsAsked(registry, runId, draining),
    onAbort: () => draining.abort('cancelled'),
    // It has ended, or somebody goes on with it elsewhere.
    onTakenOver: () => draining.abort('lease-lost'),
  });

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
      shares.of(cluster).line.lastMs = outcome.ms;
      if (errorClass === 'resources') await stopForAll(registry, runId, draining);
      if (isFailure(outcome.outcome)) {
        await writer.drain();
        await failures.count();
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
    await failures.count();
  }

  /** Until nobody is left, or nobody may be begun. */
  async function work({ line, lockedOut, throttle }: ClusterShare, mayNotBegin: () => boolean): Promise<void> {
    while (!mayNotBegin()) {
      await control.admit();
      await throttle?.admit();
      if (mayNotBegin()) return;
      const leased = await line.next();
      if (leased === null) {
        // What is left is in the hands of others, who may die.
        await writer.drain();
        if (!(await line.hasLeft())) return;
        await lockedOut.giveUp();
        await sleep(LOOK_MS, draining.signal).catch(() => undefined);
      } else if (mayNotBegin() || control.isHeld || throttle?.isHeld) {
        await run.leases.release([leased.tenant.id]);
      } else await runOne(leased);
    }
  }

  /** What others have made of the run by now, who may have left since. */
  const look = (): Promise<unknown> => Promise.all([control.look(), failures.count().catch(() => undefined)]);

  /** Whoever is last ends the run. */
  async function settleIfOver(): Promise<void> {
    await look();
    const { cause } = draining;
    if (cause && (RESTING.has(cause.reason) || cause.reason === 'lease-lost')) return;
    await writer.drain();
    if (cause) await shares.giveBack();
    await settleRun(registry, kept, cause);
  }

  // It may be paused, or over, since long before this worker came.
  await look();

  return {
    workSlot: async (hold) => {
      const share = shares.of(hold.slot.cluster);
      const { line } = share;
      line.slots += 1;
      const mayNotBegin = (): boolean => hold.isLost() || draining.signal.aborted;
      try {
        await awaitPredecessors({ workspace, distribution, worker, resting: draining.signal }, hold);
        await work(share, mayNotBegin);
      } finally {
        line.slots -= 1;
        if (line.slots === 0) await line.giveBack().catch(() => undefined);
      }
      const reason = draining.cause?.reason;
      if (hold.isLost() || (reason !== undefined && RESTING.has(reason))) throw new Error('handed back');
      // The others, here or elsewhere, come to this when they leave.
      if (shares.areAllLeft()) await settleIfOver();
      return draining.cause === null;
    },
    close: async () => {
      failures.close();
      draining.close();
      await control.close();
      await writer.drain().catch(() => undefined);
      await opened.close();
    },
  };
}
