import type { StampedRunEvent } from '../events.js';
import type { TenantOutcome } from '../outcome.js';
import { describeEvent, describeOutcome, nameWave } from './describe.js';
import { printScope } from './describe-scope.js';
import { withoutName } from './failures-text.js';
import { FindingsText } from './findings-text.js';
import { formatCount, formatDuration, formatNumber } from './format.js';
import { createLineWriter } from './line-writer.js';
import { createPalette, createResultPalette } from './palette.js';
import { PlanText } from './plan-text.js';
import type { Reporter, ReporterOptions } from './reporter.js';
import { writeRunEnd } from './run-end.js';
import { estimateTimeLeft, isFailure, RunTally } from './run-tally.js';
import { sanitizeLine } from './sanitize.js';

const HEARTBEAT_MS = 10_000;
/** Of one kind. */
const MOST_WARNINGS = 20;

export type PlainReporterOptions = Pick<ReporterOptions, 'output' | 'stdout' | 'stderr' | 'isColorful' | 'isQuiet' | 'isVerbose'>;

/** For logs and pipes: a line for each tenant that had something to do, and a sign of life while nothing ends. */
export function createPlainReporter(options: PlainReporterOptions): Reporter {
  const { isQuiet, isVerbose } = options;
  const palette = createPalette(options.isColorful);
  const resultPalette = createResultPalette(options);
  const results = createLineWriter(options.stdout);
  const progress = createLineWriter(options.stderr);
  const tally = new RunTally();
  const plans = new PlanText();
  const findings = new FindingsText(options);
  /** By their code, how many there were. */
  const warnings = new Map<string, number>();
  const startedAtMs = Date.now();
  let lastLineAtMs = startedAtMs;
  let located: Extract<StampedRunEvent, { type: 'tenant.located' }> | null = null;
  let heartbeat: NodeJS.Timeout | undefined;

  const say = (line: string): void => {
    lastLineAtMs = Date.now();
    progress.write(`${line}\n`);
  };
  const beat = (): void => {
    if (Date.now() - lastLineAtMs >= HEARTBEAT_MS) say(palette.dim(printHeartbeat(tally, Date.now() - startedAtMs)));
  };

  function report(event: StampedRunEvent): void {
    tally.observe(event, Date.parse(event.at));
    switch (event.type) {
      case 'run.started':
        if (isQuiet) return;
        if (!event.dryRun) say(sanitizeLine(describeEvent(event, tally.command)));
        for (const scope of printScope(event)) say(scope);
        heartbeat = setInterval(beat, 1000).unref();
        return;
      case 'run.warned': {
        const told = (warnings.get(event.code) ?? 0) + 1;
        warnings.set(event.code, told);
        // Of a fleet all may have the same to say.
        if (told > MOST_WARNINGS && !isVerbose) return;
        return say(`${palette.yellow('!')} ${sanitizeLine(describeEvent(event, tally.command))}`);
      }
      case 'tenant.finished':
        // Of one tenant the last lines say it all.
        if (tally.only !== null || event.outcome === 'up-to-date' || event.outcome === 'not-started' || (isQuiet && !isFailure(event)))
          return;
        return say(printTenantLine(event, tally, palette));
      case 'tenant.planned':
        if (tally.started?.dryRun) for (const line of plans.add(event, tally.command, isVerbose)) results.write(`${line}\n`);
        return;
      case 'tenant.finding':
        findings.add(event);
        return;
      case 'run.planned':
        plans.complete(event);
        return;
      case 'tenant.located':
        if (tally.started?.selected === 1) located = event;
        return;
      case 'run.paused':
      case 'run.resumed':
      case 'cluster.held':
      case 'cluster.released':
      case 'run.draining':
        return say(`${palette.yellow('!')} ${sanitizeLine(describeEvent(event, tally.command))}`);
      case 'wave.started':
      case 'wave.finished':
        if (!isQuiet && event.waves > 1) say(sanitizeLine(describeEvent(event, tally.command)));
        return;
      case 'run.finished':
        return end(event);
      case 'tenant.retried':
        if (!isQuiet) say(palette.dim(`  ${sanitizeLine(describeEvent(event, tally.command))}`));
        return;
      case 'step.finished':
        // Of one tenant every step is told, with its time.
        if (isVerbose || (tally.started?.selected === 1 && !isQuiet))
          say(palette.dim(`  ${sanitizeLine(describeEvent(event, tally.command))}`));
        return;
      default:
        if (isVerbose && event.type !== 'step.started') say(palette.dim(`  ${sanitizeLine(describeEvent(event, tally.command))}`));
    }
  }

  function end(event: Extract<StampedRunEvent, { type: 'run.finished' }>): void {
    clearInterval(heartbeat);
    const untold = [...warnings.values()].reduce((sum, told) => sum + (isVerbose ? 0 : Math.max(0, told - MOST_WARNINGS)), 0);
    if (untold > 0) say(`${palette.yellow('!')} and ${formatCount(untold, 'more warning')} like these: --verbose or --json tell them all`);
    writeRunEnd(event, { results, progress, palette, resultPalette, isQuiet, tally, plans, findings, located });
  }

  return {
    report,
    async finish() {
      clearInterval(heartbeat);
      await Promise.all([results.finish(), progress.finish()]);
    },
  };
}

function printTenantLine(outcome: TenantOutcome, tally: RunTally, palette: ReturnType<typeof createPalette>): string {
  const sign = isFailure(outcome) ? palette.red('✖') : outcome.outcome === 'applied' ? palette.green('✔') : palette.yellow('-');
  const total = String(tally.total);
  const count = tally.total > 1 ? palette.dim(`${String(tally.done).padStart(total.length)}/${total} `) : '';
  const { error, tenant } = outcome;
  const named = error === undefined ? outcome : { ...outcome, error: { ...error, message: withoutName(error.message, tenant) } };
  const words = describeOutcome(named, tally.command).split('\n')[0] ?? '';
  return `${count}${sign} ${sanitizeLine(tenant)}: ${sanitizeLine(words)}`;
}

function printHeartbeat(tally: RunTally, elapsedMs: number): string {
  const [first] = tally.inFlight.values();
  const { wave } = tally;
  if (wave !== null && wave.soaksUntilMs !== null && tally.draining === null) {
    const leftMs = wave.soaksUntilMs - Date.now();
    return `… ${nameWave(wave)} done, ${leftMs > 0 ? `${formatDuration(leftMs)} until the next` : 'asking the gate'}`;
  }
  if (tally.total <= 1) {
    // Before its first step a tenant waits for its lease: of another command, or of one that has died.
    const what = first === undefined ? 'waiting for its turn' : `${sanitizeLine(first.tenant)}: ${first.step ?? 'waiting'}`;
    return `… ${what}, ${formatDuration(elapsedMs)}`;
  }
  const held = tally.held.size === 0 ? '' : `${[...tally.held.keys()].map(sanitizeLine).join(', ')} held, `;
  const paused = tally.isPaused ? 'paused, ' : held;
  const left = paused !== '' ? null : estimateTimeLeft(tally.done, tally.total, elapsedMs);
  const failed = tally.failed === 0 ? '' : `, ${formatNumber(tally.failed)} failed`;
  return `… ${paused}${formatNumber(tally.done)} of ${formatNumber(tally.total)} done${failed}, ${tally.inFlight.size} in flight, ${formatDuration(elapsedMs)}${left === null ? '' : `, about ${formatDuration(left)} left`}`;
}
