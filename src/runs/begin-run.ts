import type { RunContext } from '../lifecycle/run-context.js';
import type { RunPlan } from './lanes.js';

/** Tells that a run begins, and over what. */
export function announceRun(run: RunContext, { selected, upToDate, concurrency, clusters }: RunPlan, target: string | null): void {
  run.emit({ type: 'run.started', command: run.command, selected, upToDate, target, concurrency, clusters, dryRun: run.dryRun });
}

/**
 * Keeps the run in the registry, unless there is nothing to do in it.
 * @param asked the selection and options, redacted; enough for `run retry`
 */
export async function recordRun(
  run: RunContext,
  { selected, lanes }: RunPlan,
  target: string | null,
  asked: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (lanes.length === 0) return;
  const { runId: id, command, host, leases, registry } = run;
  await registry.createRun({ id, command, owner: leases.owner, host, target, options: asked, selected });
}
