import type { TenantOutcome } from '../outcome.js';
import { nameWave } from './describe.js';
import { withoutName } from './failures-text.js';
import { formatCount, formatDuration, formatNumber } from './format.js';
import type { Palette } from './palette.js';
import type { InFlight, RunTally, WaveProgress } from './run-tally.js';
import { sanitizeLine } from './sanitize.js';
import { printCounts } from './summary.js';
import { fitWidth, measureWidth, truncate } from './terminal-text.js';
import { describeCommand, describeStep } from './words.js';

export interface ScreenFacts {
  readonly tally: RunTally;
  readonly nowMs: number;
  readonly startedAtMs: number;
  /** Tenants a second; null while it can't be told. */
  readonly rate: number | null;
  readonly columns: number;
  readonly rows: number;
  readonly palette: Palette;
}

const MAX_SLOTS = 10;
const MAX_FAILURES = 5;
const MAX_HELD = 3;

/** The live screen of a fleet: as many lines as the terminal and the concurrency call for, however many tenants there are. */
export function drawFleet(facts: ScreenFacts): readonly string[] {
  const { tally, rows } = facts;
  const room = rows - 1;
  const essential = [drawBar(facts), drawCounts(facts), drawPace(facts)];
  if (room < 4) return essential.slice(0, Math.max(1, room));
  const head = [drawTitle(facts), ...essential, ...drawHeld(facts)].slice(0, room);
  // What is left is shared: tenants in flight first, the last failures where there are any.
  const spare = room - head.length;
  const failures = Math.min(MAX_FAILURES, tally.lastFailures.length, Math.max(0, Math.floor(spare / 2) - 1));
  const forFailures = failures === 0 ? 0 : failures + 1;
  const slots = Math.min(MAX_SLOTS, tally.slots, Math.max(0, spare - forFailures - 2));
  return [
    ...head,
    ...(slots === 0 ? [] : ['', ...drawInFlight(facts, slots)]),
    ...(failures === 0 ? [] : ['', ...drawFailures(facts, failures)]),
  ];
}

/** `wave 1 of 3 (1 tenant)`, and between two waves for how long still. */
function drawWave(wave: WaveProgress, nowMs: number): string {
  const { soaksUntilMs, tenants } = wave;
  const name = nameWave(wave);
  if (soaksUntilMs === null) return `${name} (${formatCount(tenants, 'tenant')})`;
  const leftMs = 1000 * Math.ceil((soaksUntilMs - nowMs) / 1000);
  return leftMs <= 0 ? `${name} done, asking the gate` : `${name} done, ${formatDuration(leftMs).replace('.0 s', ' s')} until the next`;
}

function drawTitle({ tally, palette, nowMs }: ScreenFacts): string {
  const { started, draining, isPaused } = tally;
  if (started === null) return '';
  const where = Object.keys(started.clusters);
  const on = where.length === 1 ? ` on ${sanitizeLine(where[0] ?? '')}` : ` on ${where.length} clusters`;
  const title = `${palette.bold(describeCommand(started.command).verb)}${started.target === null ? '' : ` to ${sanitizeLine(started.target)}`}${palette.dim(on)}`;
  if (isPaused) return `${palette.yellow(tally.inFlight.size > 0 ? 'paused, finishing what is in flight' : 'paused')} · ${title}`;
  if (draining === null && tally.wave !== null) return `${title} · ${drawWave(tally.wave, nowMs)}`;
  return draining === null ? title : `${palette.yellow('finishing what is in flight')} · ${title}`;
}

/** One line for each cluster that its throttle holds, where there are few. */
function drawHeld({ tally, columns, palette }: ScreenFacts): readonly string[] {
  const lines = [...tally.held].map(([cluster, reason]) =>
    truncate(`${palette.yellow('held')} ${sanitizeLine(cluster)}: ${sanitizeLine(reason)}`, columns - 1),
  );
  if (lines.length <= MAX_HELD) return lines;
  return [...lines.slice(0, MAX_HELD - 1), palette.yellow(`and ${formatCount(lines.length - MAX_HELD + 1, 'more cluster')} held`)];
}

function drawBar({ tally, columns, palette }: ScreenFacts): string {
  const { done, total, failed } = tally;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  // Never 100 % before the last one is done.
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const count = `${formatNumber(done).padStart(formatNumber(total).length)} of ${formatNumber(total)}`;
  const width = Math.min(40, columns - count.length - percent.length - 6);
  if (width < 8) return `${count} ${percent}`;
  const filled = Math.floor(share * width);
  const red = failed === 0 || total === 0 ? 0 : Math.min(filled, Math.max(1, Math.round((failed / total) * width)));
  const bar = palette.green('━'.repeat(filled - red)) + palette.red('━'.repeat(red)) + palette.dim('─'.repeat(width - filled));
  return `${bar}  ${count} ${palette.dim(percent)}`;
}

function drawCounts({ tally, palette }: ScreenFacts): string {
  const retried = tally.retries === 0 ? '' : palette.dim(`, ${formatNumber(tally.retries)} retried`);
  const counts =
    tally.done === 0 && tally.counts['up-to-date'] === 0 ? palette.dim('starting') : printCounts(tally.counts, tally.command, palette);
  return `${counts}${retried}`;
}

function drawPace({ tally, nowMs, startedAtMs, rate, palette }: ScreenFacts): string {
  const parts = [formatDuration(Math.floor((nowMs - startedAtMs) / 1000) * 1000).replace(/\.0 s$| ms$/, ' s')];
  if (rate !== null) {
    parts.push(`${rate < 10 ? rate.toFixed(1) : formatNumber(Math.round(rate))} a second`);
    const leftMs = (1000 * (tally.total - tally.done)) / rate;
    // A soak or a gate may take as long as it likes.
    if (
      tally.draining === null &&
      !tally.isPaused &&
      tally.held.size === 0 &&
      leftMs >= 1000 &&
      (tally.wave === null || tally.wave.wave === tally.wave.waves)
    )
      parts.push(`about ${formatDuration(Math.ceil(leftMs / 1000) * 1000).replace('.0 s', ' s')} left`);
  }
  return palette.dim(parts.join(' · '));
}

/** Each tenant keeps its line for as long as it is in flight, so that the eye can follow a slow one. */
function drawInFlight({ tally, nowMs, columns, palette }: ScreenFacts, slots: number): readonly string[] {
  const bySlot: (InFlight | undefined)[] = new Array(slots).fill(undefined);
  for (const entry of tally.inFlight.values()) if (entry.slot < slots) bySlot[entry.slot] = entry;
  const hidden = tally.inFlight.size - bySlot.filter((entry) => entry !== undefined).length;
  const lines = bySlot.map((entry) => (entry === undefined ? '' : drawTenant(entry, nowMs, columns, palette)));
  if (tally.slots > slots) lines.push(palette.dim(hidden === 0 ? '' : `  and ${formatNumber(hidden)} more in flight`));
  return lines;
}

function drawTenant({ tenant, step, sinceMs }: InFlight, nowMs: number, columns: number, palette: Palette): string {
  const name = fitWidth(sanitizeLine(tenant), Math.max(8, Math.min(32, columns - 28)));
  const seconds = Math.floor((nowMs - sinceMs) / 1000);
  const since = seconds < 1 ? '' : formatDuration(seconds * 1000).replace('.0 s', ' s');
  return `  ${palette.dim('›')} ${name}  ${palette.dim(`${(step === null ? '' : describeStep(step)).padEnd(10)} ${since}`)}`.trimEnd();
}

/** Names are as wide as the longest of them: the messages need the room more. */
function drawFailures({ tally, columns, palette }: ScreenFacts, count: number): readonly string[] {
  const shown = tally.lastFailures.slice(-count);
  const longest = Math.max(...shown.map(({ tenant }) => measureWidth(sanitizeLine(tenant))));
  const width = Math.min(longest, Math.max(8, Math.min(32, columns - 28)));
  return shown.map((outcome) => drawFailure(outcome, width, columns, palette));
}

function drawFailure({ tenant, outcome, error }: TenantOutcome, width: number, columns: number, palette: Palette): string {
  const name = fitWidth(sanitizeLine(tenant), width);
  const message = sanitizeLine(withoutName(error?.message ?? outcome, tenant).split('\n')[0] ?? '');
  return truncate(`  ${palette.red('✖')} ${name}  ${message}`, columns - 1);
}
