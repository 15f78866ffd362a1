import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import type { RunCommand } from '../events.js';
import { Tally } from '../fleet/tally.js';
import type { OutcomeCounts, TenantOutcome } from '../outcome.js';
import { formatShard } from '../util/shard.js';
import type { RunTold } from './run-told.js';

/** Several runs as one. */
export interface MergedReport {
  readonly command: RunCommand | null;
  readonly target: string | null;
  readonly dryRun: boolean;
  /** Of how many shards the runs are parts; null where they are none. */
  readonly shards: number | null;
  readonly selected: number;
  readonly counts: OutcomeCounts;
  /** Selected in a run that has no end, or was broken off, and without an outcome. */
  readonly unaccounted: number;
  /** Worst first. */
  readonly failed: readonly TenantOutcome[];
  /** Of the run that took longest: they went on at the same time. */
  readonly ms: number;
  /** In the order of their shards. */
  readonly reports: readonly RunTold[];
  /** What keeps this from being a report of the whole. */
  readonly problems: readonly { readonly source: string | null; readonly message: string }[];
  readonly exitCode: ExitCode;
}

/**
 * Worst first. A shard that did nothing at all (a bug, a wrong config, no registry, a refusal) is worse than one that stopped on its way, and
 * that worse than one that came to its end with some tenants failed.
 */
const WORST_FIRST: readonly ExitCode[] = [
  EXIT.bug,
  EXIT.usage,
  EXIT.unreachable,
  EXIT.refused,
  EXIT.terminated,
  EXIT.interrupted,
  EXIT.locked,
  EXIT.tenantsFailed,
  EXIT.pending,
  EXIT.ok,
];

/**
 * Adds runs up that are parts of one. What doesn't belong together is refused; what is incomplete is a problem, and the rest still added.
 * @throws TenancyError `TENANCY_REPORTS_UNMERGED`
 */
export function mergeReports(told: readonly RunTold[]): MergedReport {
  const begun = told.filter(({ command }) => command !== null);
  refuseStrangers(begun);
  const [first] = begun;
  const tally = new Tally();
  for (const report of told) tally.takeUp(report);
  const selected = told.reduce((total, report) => total + report.selected, 0);
  const problems = findProblems(told);
  const codes: ExitCode[] = told.flatMap(({ exitCode }) => (exitCode === null ? [] : [exitCode]));
  if (problems.length > 0) codes.push(EXIT.refused);
  return {
    command: first?.command ?? null,
    target: first?.target ?? null,
    dryRun: first?.dryRun ?? false,
    shards: first?.shard?.of ?? null,
    selected,
    counts: tally.counts,
    unaccounted: Math.max(0, selected - tally.total),
    failed: tally.failed,
    ms: Math.max(0, ...told.map(({ ms }) => ms)),
    reports: [...told].sort((a, b) => (a.shard?.index ?? Number.POSITIVE_INFINITY) - (b.shard?.index ?? Number.POSITIVE_INFINITY) || 0),
    problems,
    exitCode: WORST_FIRST.find((code) => codes.includes(code)) ?? EXIT.ok,
  };
}

/** Sums of what doesn't belong together would look like a report, and be none. */
function refuseStrangers(begun: readonly RunTold[]): void {
  const refuse = (reason: string): never => {
    throw new TenancyError('TENANCY_REPORTS_UNMERGED', { reason });
  };
  const [first] = begun;
  if (!first) return;
  for (const each of begun) {
    const pair = `${first.source} and ${each.source}`;
    if (each.command !== first.command) refuse(`${pair} are of different commands, ${first.command} and ${each.command}`);
    if (each.dryRun !== first.dryRun) refuse(`of ${pair} one is a dry run`);
    if (each.target !== first.target) refuse(`${pair} have different targets, ${first.target ?? 'none'} and ${each.target ?? 'none'}`);
    if ((each.shard === null) !== (first.shard === null)) refuse(`of ${pair} one is a shard, and the other is not`);
    if (each.shard?.of !== first.shard?.of) refuse(`${pair} are parts of ${first.shard?.of} and of ${each.shard?.of} shards`);
  }
  const runs = new Map<string, string>();
  const shards = new Map<string, string>();
  for (const { source, run, shard } of begun) {
    const twin = run === null ? undefined : runs.get(run);
    if (twin !== undefined) refuse(`${twin} and ${source} are of the same run, ${run}`);
    if (run !== null) runs.set(run, source);
    const sibling = shard === null ? undefined : shards.get(formatShard(shard));
    if (sibling !== undefined && shard !== null) refuse(`${sibling} and ${source} are both of shard ${formatShard(shard)}`);
    if (shard !== null) shards.set(formatShard(shard), source);
  }
}

function findProblems(told: readonly RunTold[]): MergedReport['problems'] {
  const ended = told
    .filter(({ exitCode }) => exitCode === null)
    .map(({ source, run, shard }) => {
      const who = run === null ? 'it' : `${shard === null ? '' : `shard ${formatShard(shard)}, `}run ${run},`;
      return { source, message: `${source}: ${who} has no end, so whoever wrote it died, or it was cut off` };
    });
  const of = told.find(({ shard }) => shard !== null)?.shard?.of ?? 0;
  const there = new Set(told.map(({ shard }) => shard?.index));
  const missing = Array.from({ length: of }, (_, index) => index + 1).filter((index) => !there.has(index));
  // Each that ended before it had a run is one of those, and says by itself what was the matter.
  const nameless = told.filter(({ shard }) => shard === null).length;
  if (missing.length <= nameless) return ended;
  const named = missing.slice(0, 10).map((index) => `${index}/${of}`);
  const who = `${named.join(', ')}${missing.length > named.length ? ` and ${missing.length - named.length} more` : ''}`;
  return [...ended, { source: null, message: `there is no report of shard ${who}` }];
}
