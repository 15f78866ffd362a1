import { EXIT } from '../errors/define.js';
import type { EmitRunEvent, RunCommand } from '../events.js';
import { Tally } from '../fleet/tally.js';
import { elapsedMs } from '../util/clock.js';
import { createRunId } from '../util/names.js';
import type { RunReport } from './report.js';
import type { Workspace } from './workspace.js';

export interface DryRun {
  readonly command: RunCommand;
  readonly selected: number;
  readonly target: string | null;
  readonly concurrency: number | null;
  readonly startedMs: number;
}

/** Tells a plan as a run that writes nothing: `list` emits a `tenant.planned` for each, and answers with how many. */
export async function dryReport(
  workspace: Workspace,
  { command, selected, target, concurrency, startedMs }: DryRun,
  list: (emit: EmitRunEvent) => Promise<number> | number,
): Promise<RunReport> {
  const runId = createRunId();
  const emit = workspace.emitter(runId);
  emit({ type: 'run.started', command, selected, upToDate: 0, target, concurrency: concurrency ?? 0, clusters: {}, dryRun: true });
  const pending = await list(emit);
  const tally = new Tally();
  tally.count('up-to-date', selected - pending);
  tally.count('not-started', pending);
  const report: RunReport = { runId, command, selected, counts: tally.counts, failed: [], pending, ms: elapsedMs(startedMs), exitCode: EXIT.ok };
  emit({ type: 'run.finished', command, counts: report.counts, failed: [], ms: report.ms, exitCode: report.exitCode });
  return report;
}
