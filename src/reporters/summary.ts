import type { RunCommand, RunEvent } from '../events.js';
import type { OutcomeCounts, OutcomeError, TenantOutcome } from '../outcome.js';
import { TENANT_OUTCOMES } from '../outcome.js';
import { describeOutcome, describeStop } from './describe.js';
import { printFailures } from './failures-text.js';
import { formatCount, formatDuration, formatNumber } from './format.js';
import type { Palette } from './palette.js';
import { isFailure, type RunTally } from './run-tally.js';
import { sanitizeLine, sanitizeLines } from './sanitize.js';
import { describeCommand, describeOutcomeType } from './words.js';

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

/** The last words on a run: results are for stdout, failures and what to type next for stderr. */
export interface Summary {
  readonly headline: readonly string[];
  readonly failures: readonly string[];
  readonly next: readonly string[];
}

export function summarizeRun(
  event: Finished,
  context: {
    readonly run: string | null;
    readonly isDryRun: boolean;
    /** Findings of a verify that `--fix` would mend. */
    readonly fixable: number;
    readonly tally: RunTally;
    readonly palette: Palette;
    readonly resultPalette: Palette;
  },
): Summary {
  const { palette, resultPalette, run, isDryRun, tally } = context;
  // A dry run has not begun anything that would have to be finished.
  if (isDryRun && event.error === undefined) return { headline: [], failures: [], next: [] };
  if (event.error !== undefined) return { headline: [], failures: printError(event.error, palette), next: printNext(event, run, palette) };
  const headline =
    event.command === null
      ? []
      : [
          tally.only === null
            ? printHeadline(event, event.command, tally, resultPalette)
            : printOnly(tally.only, event.command, resultPalette),
        ];
  if (event.command === 'verify') return summarizeVerify(event, headline, context);
  const failures = printFailures(event.failed, run, palette);
  const isOnly = tally.only !== null;
  // The failure of one tenant says what a headline would.
  return failures.length > 0 && isOnly
    ? { headline: [], failures: failures.slice(1), next: printNext(event, run, palette, true) }
    : { headline, failures, next: printNext(event, run, palette, isOnly) };
}

/** What was found has been told, with what mends it. Only who could not be looked at has failed. */
function summarizeVerify(
  event: Finished,
  headline: readonly string[],
  { run, palette, fixable }: { readonly run: string | null; readonly palette: Palette; readonly fixable: number },
): Summary {
  const failed = event.failed.filter(({ outcome }) => outcome !== 'unverified');
  const next = [
    ...(fixable === 0 ? [] : [`--fix mends ${fixable === 1 ? 'one of these' : `${formatNumber(fixable)} of these`}`]),
    ...(event.failed.length > 1 ? ['to look at just these again: tenancy tenant verify --failed'] : []),
  ];
  return {
    headline,
    failures: printFailures(failed, run, palette),
    next: next.length === 0 ? [] : ['', ...next.map((line) => `${palette.cyan('→')} ${line}`)],
  };
}

function printOnly(outcome: TenantOutcome, command: RunCommand, palette: Palette): string {
  const sign = outcome.outcome === 'applied' || outcome.outcome === 'up-to-date' ? palette.green('✔') : palette.yellow('!');
  return `${sign} ${palette.bold(sanitizeLine(outcome.tenant))} ${sanitizeLine(describeOutcome(outcome, command))}`;
}

function printHeadline({ counts, ms, exitCode, stopped }: Finished, command: RunCommand, tally: RunTally, palette: Palette): string {
  const { selected } = tally.started ?? { selected: 0 };
  if (selected > 0 && counts['up-to-date'] === selected) {
    const who = selected === 1 && tally.located !== null ? palette.bold(sanitizeLine(tally.located)) : formatCount(selected, 'tenant');
    return `${palette.green('✔')} ${who} ${describeOutcomeType('up-to-date', command)}, nothing to do`;
  }
  const isBad = counts.failed + counts.unverified + counts.unknown > 0;
  const isPartial = counts.cancelled + counts['not-started'] > 0 || exitCode !== 0;
  const sign = isBad ? palette.red('✖') : isPartial ? palette.yellow('!') : palette.green('✔');
  const why = stopped === undefined || stopped.notStarted === 0 ? '' : `, ${sanitizeLine(describeStop(stopped))}`;
  return `${sign} ${printCounts(counts, command, palette)} ${palette.dim(`in ${formatDuration(ms)}`)}${why}`;
}

/** `493 migrated, 12 up to date, 7 failed`; outcomes that nobody had are left out. */
export function printCounts(counts: OutcomeCounts, command: RunCommand, palette: Palette): string {
  const parts = TENANT_OUTCOMES.filter((outcome) => counts[outcome] > 0).map((outcome) => {
    const text = `${formatNumber(counts[outcome])} ${describeOutcomeType(outcome, command)}`;
    if (outcome === 'failed' || outcome === 'unverified' || outcome === 'unknown') return palette.red(text);
    return outcome === 'cancelled' || outcome === 'not-started' ? palette.yellow(text) : text;
  });
  return parts.length === 0 ? `no tenants to ${describeCommand(command).verb}` : parts.join(', ');
}

/** A refusal, a wrong config, an unreachable registry: what ended the command as a whole. */
export function printError(error: Pick<OutcomeError, 'code' | 'message' | 'hint'>, palette: Palette): readonly string[] {
  const [first = '', ...more] = sanitizeLines(error.message);
  const lines = [`${palette.red('✖')} ${first}`, ...more.map((line) => `  ${line}`)];
  if (error.hint !== undefined)
    lines.push(...sanitizeLines(error.hint).map((line, index) => `  ${index === 0 ? `${palette.cyan('→')} ` : '  '}${line}`));
  return lines;
}

function printNext({ failed, counts, command }: Finished, run: string | null, palette: Palette, isOnly = false): readonly string[] {
  const { 'not-started': notStarted, cancelled } = counts;
  const unfinished = notStarted + cancelled;
  if (run === null || command === null || failed.length + unfinished === 0) return [];
  const what =
    failed.length === 0
      ? `finish the ${formatCount(unfinished, 'tenant')} left`
      : unfinished === 0
        ? 'try just these again'
        : 'try these and what was left again';
  const hints = sharedHint(failed);
  // The hint of one tenant says what to type; a second command would only make one wonder which.
  const retry = isOnly && hints.length > 0 ? [] : [`to ${isOnly ? 'try again' : what}: tenancy run retry ${sanitizeLine(run)}`];
  return ['', ...[...hints, ...retry].map((line) => `${palette.cyan('→')} ${line}`)];
}

/** One failure has its own hint; of many, only one that they all share is worth a line. */
function sharedHint(failed: readonly TenantOutcome[]): readonly string[] {
  const hint = failed[0]?.error?.hint;
  if (hint === undefined || !failed.every((outcome) => isFailure(outcome) && outcome.error?.hint === hint)) return [];
  return sanitizeLines(hint);
}
