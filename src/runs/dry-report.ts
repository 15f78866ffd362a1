import type { EmitRunEvent, RunCommand } from '../events.js';
import { Tally } from '../fleet/tally.js';
import type { TenantOutcome } from '../outcome.js';
import { elapsedMs } from '../util/clock.js';
import { createRunId } from '../util/names.js';
import { decideExitCode, type RunReport } from './report.js';
import type { Workspace } from './workspace.js';

export interface DryRun {
  readonly command: RunCommand;
  readonly selected: number;
  readonly target: string | null;
  readonly concurrency: number | null;
  readonly startedMs: number;
}

/** How many tenants there is something to do for, and those that the command would refuse. */
export interface DryPlan {
  readonly pending: number;
  readonly refused: readonly TenantOutcome[];
}

/** Tells a plan as a run that writes nothing: `list` emits a `tenant.planned` for each that has something to do. */
export async function dryReport(
  workspace: Workspace,
  { command, selected, target, concurrency, startedMs }: DryRun,
  list: (emit: EmitRunEvent) => Promise<DryPlan> | DryPlan,
): Promise<RunReport> {
  const runId = createRunId();
  const emit = workspace.emitter(runId);
  emit({ type: 'run.started', command, selected, upToDate: 0, target, concurrency: concurrency ?? 0, clusters: {}, dryRun: true });
  const { pending, refused } = await list(emit);
  const tally = new Tally();
  for (const outcome of refused) {
    tally.add(outcome);
    emit({ type: 'tenant.finished', ...outcome });
  }
  tally.count('up-to-date', selected - pending - refused.length);
  tally.count('not-started', pending);
  const { counts, failed } = tally;
  const report: RunReport = {
    runId,
    command,
    selected,
    counts,
    failed,
    stopped: null,
    pending,
    ms: elapsedMs(startedMs),
    exitCode: decideExitCode(selected, failed, null),
  };
  emit({ type: 'run.finished', command, counts, failed, ms: report.ms, exitCode: report.exitCode });
  return report;
}
