import { TenancyError } from '../../errors.js';
import type { Slot } from '../../executors/slot.js';
import { targetOf } from '../../lifecycle/migrator.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { TenantFilter } from '../../registry/registry.js';
import { recordRun } from '../begin-run.js';
import type { Caution } from '../caution.js';
import type { RunSignals } from '../execute-run.js';
import type { RunPlan } from '../lanes.js';
import type { RunReport } from '../report.js';
import type { Workspace } from '../workspace.js';
import { type DistributedOptions, digestDeployment, openQueue, requireDistribution } from './deployment.js';
import { followRun } from './follow.js';

export interface DistributeOptions {
  readonly plan: RunPlan;
  readonly filter: TenantFilter;
  /** What is kept with the run. */
  readonly asked: Readonly<Record<string, unknown>>;
  readonly caution: Caution;
  readonly signals: RunSignals;
}

/** So many ids are kept with a run, and workers know their tenants from there. */
const MOST_IDS = 1_000;

/**
 * Hands a run to workers, and follows it to its end. The registry knows who is next; what goes through the queue is the right to have one tenant of a
 * cluster in flight, as often as the caps allow.
 */
export async function distributeRun(workspace: Workspace, run: RunContext, options: DistributeOptions): Promise<RunReport> {
  const { plan, filter, asked, caution, signals } = options;
  requireDistribution(run.registry);
  refuseUnfit(filter, caution);
  const { selected, upToDate } = plan;
  const hasWork = plan.lanes.length > 0;
  if (hasWork) await handOut(workspace, run, plan, asked);
  return followRun(run, { selected, upToDate, hasWork, signals });
}

async function handOut(workspace: Workspace, run: RunContext, plan: RunPlan, asked: DistributeOptions['asked']): Promise<void> {
  const deployment = await digestDeployment(run.config);
  const queue = await openQueue(workspace, deployment);
  try {
    const target = asked['forceVerify'] === true ? null : targetOf(run.migrator);
    const slots = listSlots(run.runId, plan);
    const distributed: DistributedOptions = { executor: 'pg-boss', deployment, target, upToDate: plan.upToDate, places: slots.length };
    await recordRun(run, plan, run.migrator.target, { ...asked, ...distributed });
    await queue.offer(slots);
  } finally {
    await queue.close();
  }
}

function refuseUnfit(filter: TenantFilter, { waves }: Caution): void {
  if (waves.length > 0) {
    const reason = 'waves are gone through by one process, which knows when one has ended';
    const advice =
      'add --waves none, which also takes back those of the config and of TENANCY_WAVES, in place of --canary, --waves and --soak; or leave out --executor';
    throw new TenancyError('TENANCY_EXECUTOR_REFUSED', { reason, advice });
  }
  if ((filter.ids?.length ?? 0) > MOST_IDS) {
    const reason = `over ${MOST_IDS} ids are not kept with a run, so no worker would know them`;
    throw new TenancyError('TENANCY_EXECUTOR_REFUSED', { reason, advice: 'select them by --all, --label, --cluster or --shard' });
  }
}

/** One cluster after the other gets one more, up to its cap and the run's, so that none goes without. */
function listSlots(runId: string, { clusters, concurrency }: RunPlan): readonly Slot[] {
  const slots: Slot[] = [];
  for (let number = 0; slots.length < concurrency; number += 1) {
    const open = Object.entries(clusters).filter(([, { cap, tenants }]) => number < Math.min(cap, tenants));
    if (open.length === 0) break;
    const first = slots.length;
    slots.push(...open.slice(0, concurrency - first).map(([cluster], at) => ({ runId, cluster, number, place: first + at, hop: 0 })));
  }
  return slots;
}
