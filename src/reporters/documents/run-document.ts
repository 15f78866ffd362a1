import type { OutcomeCounts, TenantOutcome } from '../../outcome.js';
import type { Run } from '../../registry/registry.js';
import type { RunStop } from '../../run-stop.js';
import { describeStop } from '../describe.js';
import { printFailures } from '../failures-text.js';
import { formatCount, formatDuration, formatNumber } from '../format.js';
import type { Palette } from '../palette.js';
import { isFailure } from '../run-tally.js';
import { sanitizeLine } from '../sanitize.js';
import { printCounts } from '../summary.js';
import { type Cell, printFacts, printTime, Table } from './table.js';

/** A run as JSON shows it. Dates are ISO 8601 in UTC. */
export interface RunDocument {
  readonly id: string;
  readonly command: Run['command'];
  readonly status: Run['status'];
  readonly selected: number;
  readonly target: string | null;
  readonly counts: OutcomeCounts | null;
  readonly notStarted: number | null;
  readonly exitCode: number | null;
  /** What kept tenants from being started. */
  readonly stopped: RunStop | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly owner: string;
  readonly host: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly control: Run['control'];
  readonly controlBy: string | null;
  readonly pausedAt: string | null;
  readonly endReason: string | null;
}

/** `tenancy run list`. */
export interface RunListDocument {
  readonly v: 1;
  readonly runs: readonly RunDocument[];
}

/** `tenancy run show`: with the tenants that failed, were skipped, cancelled or interrupted. */
export interface RunShowDocument {
  readonly v: 1;
  readonly run: RunDocument;
  readonly outcomes: readonly TenantOutcome[];
}

export function toRunDocument(run: Run): RunDocument {
  const { id, command, status, selected, target, counts, notStarted, exitCode, stopped, owner, host, options } = run;
  const startedAt = run.startedAt.toISOString();
  return {
    id,
    command,
    status,
    selected,
    target,
    counts,
    notStarted,
    exitCode,
    stopped,
    startedAt,
    finishedAt: run.finishedAt?.toISOString() ?? null,
    owner,
    host,
    options,
    control: run.control,
    controlBy: run.controlBy,
    pausedAt: run.pausedAt?.toISOString() ?? null,
    endReason: run.endReason,
  };
}

export function toRunListDocument(runs: readonly Run[]): RunListDocument {
  return { v: 1, runs: runs.map(toRunDocument) };
}

export function toRunShowDocument(run: Run, outcomes: readonly TenantOutcome[]): RunShowDocument {
  return { v: 1, run: toRunDocument(run), outcomes };
}

export function printRunList({ runs }: RunListDocument, palette: Palette): readonly string[] {
  if (runs.length === 0) return ['no runs'];
  const table = new Table([
    { text: 'run' },
    { text: 'started' },
    { text: 'command' },
    { text: 'tenants', isNumber: true },
    { text: 'status' },
    { text: 'took', isNumber: true },
    { text: 'outcomes' },
  ]);
  const rows = runs.map((run): readonly Cell[] => [
    { text: run.id },
    { text: printTime(run.startedAt), paint: palette.dim },
    { text: run.command },
    { text: formatNumber(run.selected), isNumber: true },
    { text: printStatus(run), paint: run.status === 'finished' ? undefined : palette.yellow },
    { text: printTook(run), isNumber: true, paint: palette.dim },
    {
      text: run.counts === null ? '' : printCounts(run.counts, run.command, PLAIN),
      paint: run.exitCode === 0 || run.exitCode === null ? undefined : palette.red,
    },
  ]);
  const lines = table.print(rows);
  return [table.printHeader(palette), ...lines];
}

const asIs = (text: string): string => text;
const PLAIN: Palette = { bold: asIs, dim: asIs, red: asIs, green: asIs, yellow: asIs, cyan: asIs };

export function printRunShow({ run, outcomes }: RunShowDocument, palette: Palette): readonly string[] {
  const facts: [string, string][] = [
    ['command', `${run.command}${run.target === null ? '' : ` to ${run.target}`}`],
    ['status', `${printStatus(run)}${run.exitCode === null ? '' : `, exit ${run.exitCode}`}`],
    ['started', `${printTime(run.startedAt)} by ${run.owner} on ${run.host}`],
    ['took', printTook(run) || '-'],
    ['tenants', formatNumber(run.selected)],
  ];
  if (run.counts !== null) facts.push(['outcomes', printCounts(run.counts, run.command, PLAIN)]);
  if (run.stopped !== null) {
    const { notStarted } = run.stopped;
    facts.push([
      'stopped',
      `${describeStop(run.stopped)}; ${formatCount(notStarted, 'tenant')} ${notStarted === 1 ? 'was' : 'were'} never started`,
    ]);
  }
  const failed = outcomes.filter(isFailure);
  const others = outcomes.filter((outcome) => !isFailure(outcome));
  const next = printNextRun({ v: 1, run, outcomes });
  return [
    palette.bold(sanitizeLine(run.id)),
    ...printFacts(facts, palette).map((line) => `  ${line}`),
    ...printFailures(failed, null, palette, Number.POSITIVE_INFINITY),
    ...(others.length === 0 ? [] : ['', ...printOthers(others, palette)]),
    ...(next === null ? [] : ['', `${palette.cyan('→')} ${next}`]),
  ];
}

/** Also what it has been told and hasn't done yet. */
function printStatus({ status, control, endReason }: RunDocument): string {
  if (status === 'running' && control !== 'go-on') return control === 'pause' ? 'pausing' : 'being cancelled';
  if (status === 'paused' && control === 'go-on') return 'resuming';
  return endReason === null || endReason === status ? status : `${status} (${endReason})`;
}

/** What to type next, where anything is left to be done. */
function printNextRun({ run, outcomes }: RunShowDocument): string | null {
  const id = sanitizeLine(run.id);
  if (run.status === 'paused') return `to go on: tenancy run resume ${id}`;
  if (run.status === 'interrupted') return `to go on where it was: tenancy run resume ${id}`;
  const isUnfinished = (run.notStarted ?? 0) > 0 || outcomes.some((outcome) => isFailure(outcome) || outcome.outcome === 'cancelled');
  return isUnfinished ? `to try again what is left: tenancy run retry ${id}` : null;
}

function printOthers(outcomes: readonly TenantOutcome[], palette: Palette): readonly string[] {
  const rows = outcomes.map(({ outcome, tenant, error }): readonly Cell[] => [
    { text: outcome, paint: outcome === 'applied' ? palette.green : palette.yellow },
    { text: tenant },
    { text: error?.message.split('\n')[0] ?? '', paint: palette.dim },
  ]);
  return new Table([]).print(rows);
}

function printTook({ startedAt, finishedAt }: RunDocument): string {
  return finishedAt === null ? '' : formatDuration(Date.parse(finishedAt) - Date.parse(startedAt));
}
