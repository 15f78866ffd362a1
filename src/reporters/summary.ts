import type { OutcomeCounts, OutcomeError, RunCommand, RunEvent, TenantOutcome } from '../events.js';
import { TENANT_OUTCOMES } from '../events.js';
import { describeCommand, describeOutcomeType } from './describe.js';
import { formatCount, formatDuration, formatNumber } from './format.js';
import type { Palette } from './palette.js';
import { isFailure } from './run-tally.js';
import { sanitizeLine, sanitizeLines } from './sanitize.js';

type Finished = Extract<RunEvent, { type: 'run.finished' }>;

const MAX_FAILURES = 20;

/** The last words on a run: results are for stdout, failures and what to type next for stderr. */
export interface Summary {
  readonly headline: readonly string[];
  readonly failures: readonly string[];
  readonly next: readonly string[];
}

export function summarizeRun(event: Finished, context: { readonly run: string | null; readonly isDryRun: boolean; readonly palette: Palette }): Summary {
  const { palette, run, isDryRun } = context;
  if (event.error !== undefined) return { headline: [], failures: printError(event.error, palette), next: printNext(event, run, palette) };
  return {
    headline: event.command === null || isDryRun ? [] : [printHeadline(event, event.command, palette)],
    failures: printFailures(event.failed, run, palette),
    next: printNext(event, run, palette),
  };
}

function printHeadline({ counts, ms, exitCode }: Finished, command: RunCommand, palette: Palette): string {
  const isBad = counts.failed + counts.unverified + counts.unknown > 0;
  const isPartial = counts.cancelled + counts['not-started'] > 0 || exitCode !== 0;
  const sign = isBad ? palette.red('✖') : isPartial ? palette.yellow('!') : palette.green('✔');
  return `${sign} ${printCounts(counts, command, palette)} ${palette.dim(`in ${formatDuration(ms)}`)}`;
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

/** Worst first, as the run ordered them, and at most twenty. */
function printFailures(failed: readonly TenantOutcome[], run: string | null, palette: Palette): readonly string[] {
  if (failed.length === 0) return [];
  const lines: string[] = [''];
  for (const outcome of failed.slice(0, MAX_FAILURES)) lines.push(...printFailure(outcome, palette));
  const rest = failed.length - MAX_FAILURES;
  if (rest > 0) lines.push(`  and ${formatNumber(rest)} more${run === null ? '' : `: tenancy run show ${run}`}`);
  return lines;
}

function printFailure(outcome: TenantOutcome, palette: Palette): readonly string[] {
  const { tenant, cluster, error, attempts } = outcome;
  const how = outcome.outcome === 'failed' ? '' : ` ${outcome.outcome}`;
  const step = error?.hook == null ? '' : ` in ${sanitizeLine(error.hook)}`;
  const tries = attempts > 1 ? `, ${attempts} attempts` : '';
  const head = `  ${palette.red('✖')} ${palette.bold(sanitizeLine(tenant))}${how}${palette.dim(`${step} on ${sanitizeLine(cluster)}${tries}`)}`;
  if (error === undefined) return [head];
  const own = error.message.startsWith(`${tenant}: `) ? error.message.slice(tenant.length + 2) : error.message;
  return [
    head,
    ...sanitizeLines(own).map((line) => `    ${line}`),
    palette.dim(`    ${sanitizeLine(error.code)}${error.log === null ? '' : `, log: ${sanitizeLine(error.log)}`}`),
  ];
}

/** A refusal, a wrong config, an unreachable registry: what ended the command as a whole. */
export function printError(error: Pick<OutcomeError, 'code' | 'message' | 'hint'>, palette: Palette): readonly string[] {
  const [first = '', ...more] = sanitizeLines(error.message);
  const lines = [`${palette.red('✖')} ${first}`, ...more.map((line) => `  ${line}`)];
  if (error.hint !== undefined) lines.push(...sanitizeLines(error.hint).map((line, index) => `  ${index === 0 ? `${palette.cyan('→')} ` : '  '}${line}`));
  return lines;
}

function printNext({ failed, counts, command }: Finished, run: string | null, palette: Palette): readonly string[] {
  const { 'not-started': notStarted, cancelled } = counts;
  const unfinished = notStarted + cancelled;
  if (run === null || command === null || failed.length + unfinished === 0) return [];
  const what =
    failed.length === 0 ? `finish the ${formatCount(unfinished, 'tenant')} left` : unfinished === 0 ? 'try just these again' : 'try these and what was left again';
  const hints = sharedHint(failed);
  return ['', ...hints.map((hint) => `${palette.cyan('→')} ${hint}`), `${palette.cyan('→')} to ${what}: tenancy run retry ${sanitizeLine(run)}`];
}

/** One failure has its own hint; of many, only one that they all share is worth a line. */
function sharedHint(failed: readonly TenantOutcome[]): readonly string[] {
  const hint = failed[0]?.error?.hint;
  if (hint === undefined || !failed.every((outcome) => isFailure(outcome) && outcome.error?.hint === hint)) return [];
  return sanitizeLines(hint);
}
