import type { RunCommand } from '../../events.js';
import type { OutcomeCounts, OutcomeError, TenantOutcome } from '../../outcome.js';
import type { MergedReport } from '../../reports/merge-reports.js';
import type { RunStop } from '../../run-stop.js';
import { formatShard, type Shard } from '../../util/shard.js';
import { describeStop } from '../describe.js';
import { printFailures } from '../failures-text.js';
import { formatCount, formatDuration, formatNumber } from '../format.js';
import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';
import { printCounts } from '../summary.js';
import { type Cell, Table } from './table.js';

/** One of the reports that were merged. */
export interface MergedRunDocument {
  readonly source: string;
  readonly run: string | null;
  readonly shard: Shard | null;
  readonly selected: number;
  readonly counts: OutcomeCounts;
  readonly ms: number;
  /** Null: it has no end. */
  readonly exitCode: number | null;
  readonly stopped: RunStop | null;
  readonly error: OutcomeError | null;
}

/** `tenancy run merge`. */
export interface RunMergeDocument {
  readonly v: 1;
  readonly command: RunCommand | null;
  readonly target: string | null;
  readonly dryRun: boolean;
  readonly shards: number | null;
  readonly selected: number;
  readonly counts: OutcomeCounts;
  readonly unaccounted: number;
  readonly failed: readonly TenantOutcome[];
  readonly ms: number;
  readonly reports: readonly MergedRunDocument[];
  readonly problems: MergedReport['problems'];
  readonly exitCode: number;
}

export function toRunMergeDocument({ reports, ...merged }: MergedReport): RunMergeDocument {
  return {
    v: 1,
    ...merged,
    reports: reports.map(({ source, run, shard, selected, counts, ms, exitCode, stopped, error }) => {
      return { source, run, shard, selected, counts, ms, exitCode, stopped, error };
    }),
  };
}

/** The problems are for stderr. */
export function printRunMerge(document: RunMergeDocument, palette: Palette): readonly string[] {
  const { command, counts, failed, reports, unaccounted, exitCode } = document;
  const lost = unaccounted === 0 ? '' : `, ${palette.yellow(`${formatNumber(unaccounted)} without an outcome`)}`;
  const of = `${formatCount(document.selected, 'tenant')} in ${formatCount(reports.length, 'run')}`;
  const sign = failed.length > 0 ? palette.red('✖') : exitCode === 0 ? palette.green('✔') : palette.yellow('!');
  const words = command === null ? 'no run' : `${printCounts(counts, command, palette)}${lost}`;
  const time = palette.dim(`of ${of}, the longest took ${formatDuration(document.ms)}`);
  return [
    `${sign} ${document.dryRun ? 'dry run: ' : ''}${words} ${time}`,
    '',
    ...printReports(document, palette),
    ...printFailures(failed, null, palette, Number.POSITIVE_INFINITY),
    ...printNext(document, palette),
  ];
}

function printReports({ reports, command }: RunMergeDocument, palette: Palette): readonly string[] {
  const table = new Table([
    { text: '  shard' },
    { text: 'run' },
    { text: 'tenants', isNumber: true },
    { text: 'exit', isNumber: true },
    { text: 'outcomes' },
    { text: 'report' },
  ]);
  const rows = reports.map((report): readonly Cell[] => [
    { text: `  ${report.shard === null ? '-' : formatShard(report.shard)}` },
    { text: report.run ?? '-' },
    { text: formatNumber(report.selected), isNumber: true },
    { text: report.exitCode === null ? '-' : String(report.exitCode), isNumber: true },
    { text: describeReport(report, command ?? 'migrate'), paint: report.exitCode === 0 ? undefined : palette.yellow },
    { text: report.source, paint: palette.dim },
  ]);
  const lines = table.print(rows);
  return [table.printHeader(palette), ...lines];
}

const asIs = (text: string): string => text;
const PLAIN: Palette = { bold: asIs, dim: asIs, red: asIs, green: asIs, yellow: asIs, cyan: asIs };

function describeReport({ counts, error, exitCode, stopped }: MergedRunDocument, command: RunCommand): string {
  const parts = [
    ...(Object.values(counts).some((tenants) => tenants > 0) ? [printCounts(counts, command, PLAIN)] : []),
    ...(exitCode === null ? ['no end'] : []),
    ...(stopped === null ? [] : [describeStop(stopped)]),
    ...(error === null ? [] : [error.message.split('\n')[0] ?? '']),
  ];
  return parts.join('; ') || 'nothing to do';
}

/** A run that left something is taken up by itself. */
function printNext({ reports, dryRun }: RunMergeDocument, palette: Palette): readonly string[] {
  if (dryRun) return [];
  const left = reports.filter(({ run, exitCode, counts }) => {
    const isLeft = counts.failed + counts.unverified + counts.unknown + counts.cancelled + counts['not-started'] > 0;
    return run !== null && exitCode !== null && isLeft;
  });
  const lost = reports.filter(({ run, exitCode }) => run !== null && exitCode === null);
  const lines = [
    ...left.map(({ run }) => `to try again what is left: tenancy run retry ${sanitizeLine(run ?? '')}`),
    ...lost.map(({ run }) => `to go on where it was: tenancy run resume ${sanitizeLine(run ?? '')}`),
  ];
  return lines.length === 0 ? [] : ['', ...lines.map((line) => `${palette.cyan('→')} ${line}`)];
}
