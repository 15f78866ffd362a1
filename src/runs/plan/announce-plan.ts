import type { RunEvent } from '../../events.js';
import type { RunContext } from '../../lifecycle/run-context.js';
import type { PlannedGroup } from '../../planned.js';
import type { RunPlan } from '../lanes.js';
import { estimateRun } from './estimate-run.js';

export interface Planned {
  readonly groups: readonly PlannedGroup[];
  readonly versions: Extract<RunEvent, { type: 'run.planned' }>['versions'];
  readonly plan: Pick<RunPlan, 'concurrency' | 'clusters'>;
  readonly saved: string | null;
}

/** Tells a plan as a whole, with what earlier runs say of the time. */
export async function announcePlan(run: RunContext, { groups, versions, plan, saved }: Planned): Promise<void> {
  const { concurrency, clusters: caps } = plan;
  const { clusters, overall } = await estimateRun(run.registry, { command: run.command, groups, concurrency, caps });
  run.emit({ type: 'run.planned', versions, groups, clusters, estimate: overall, saved });
}
