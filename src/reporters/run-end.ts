import type { StampedRunEvent } from '../events.js';
import type { FindingsText } from './findings-text.js';
import type { LineWriter } from './line-writer.js';
import { printLocated } from './located-text.js';
import type { Palette } from './palette.js';
import type { PlanText } from './plan-text.js';
import type { RunTally } from './run-tally.js';
import { summarizeRun } from './summary.js';

export interface RunEndOptions {
  readonly results: LineWriter;
  readonly progress: LineWriter;
  readonly palette: Palette;
  /** For stdout, which may be a pipe where stderr is a terminal. */
  readonly resultPalette: Palette;
  readonly isQuiet: boolean;
  readonly tally: RunTally;
  readonly plans: PlanText;
  readonly findings: FindingsText;
  /** Where the one tenant of the run lives. */
  readonly located: Extract<StampedRunEvent, { type: 'tenant.located' }> | null;
}

/** The last lines of a run for people: the plan or the counts on stdout, failures and what to type next on stderr. */
export function writeRunEnd(event: Extract<StampedRunEvent, { type: 'run.finished' }>, options: RunEndOptions): void {
  const { results, progress, palette, resultPalette, isQuiet, tally, plans, findings, located } = options;
  const isDryRun = tally.started?.dryRun ?? false;
  const summary = summarizeRun(event, { run: event.run, isDryRun, fixable: findings.fixable, tally, palette, resultPalette });
  const plan = isDryRun && event.error === undefined ? plans.print(tally.command, event.counts['up-to-date'], resultPalette) : [];
  for (const line of findings.print(resultPalette)) results.write(`${line}\n`);
  for (const line of plan) results.write(`${line}\n`);
  if (!isQuiet) for (const line of summary.headline) results.write(`${line}\n`);
  if (located !== null) for (const line of printLocated(located, resultPalette)) results.write(`${line}\n`);
  for (const line of [...summary.failures, ...summary.next]) progress.write(`${line}\n`);
}
