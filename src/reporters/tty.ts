import type { RunEvent, StampedRunEvent } from '../events.js';
import { describeEvent } from './describe.js';
import { printScope } from './describe-scope.js';
import { FindingsText } from './findings-text.js';
import { FleetView } from './fleet-view.js';
import { formatCount } from './format.js';
import { createLineWriter } from './line-writer.js';
import { LiveArea } from './live-area.js';
import { createPalette, createResultPalette } from './palette.js';
import { PlanText } from './plan-text.js';
import type { Reporter, ReporterOptions } from './reporter.js';
import { writeRunEnd } from './run-end.js';
import { RunTally } from './run-tally.js';
import { sanitizeLine } from './sanitize.js';

/** What is on the screen while a run goes on. */
interface View {
  observe(event: RunEvent): void;
  /** Stops painting. */
  end(): Promise<void>;
}

const MAX_WARNINGS = 10;

/** For a terminal: the steps of one tenant, or one screen for a fleet. */
export async function createTtyReporter(options: ReporterOptions): Promise<Reporter> {
  const { StepsView } = await import('./steps-view.js');
  const palette = createPalette(options.isColorful);
  const resultPalette = createResultPalette(options);
  const results = createLineWriter(options.stdout);
  const progress = createLineWriter(options.stderr);
  const area = new LiveArea(progress, options);
  const tally = new RunTally();
  const plans = new PlanText();
  const findings = new FindingsText(options);
  let view: View | null = null;
  let located: Extract<StampedRunEvent, { type: 'tenant.located' }> | null = null;
  let warnings = 0;
  let ending: Promise<void> | null = null;

  const warn = (event: RunEvent): void => area.print([`${palette.yellow('!')} ${sanitizeLine(describeEvent(event, tally.command))}`]);

  function report(event: StampedRunEvent): void {
    tally.observe(event, Date.now());
    switch (event.type) {
      case 'run.started':
        if (options.isQuiet) return;
        for (const line of printScope(event)) area.print([line]);
        if (event.dryRun) return;
        view =
          event.selected === 1
            ? new StepsView(area, tally, palette, options.isVerbose)
            : event.selected > event.upToDate
              ? new FleetView(area, tally, palette, options)
              : null;
        return;
      case 'run.warned':
        warnings += 1;
        if (warnings <= MAX_WARNINGS) warn(event);
        return;
      case 'run.paused':
      case 'run.resumed':
      case 'cluster.held':
      case 'cluster.released':
      case 'run.draining':
        return warn(event);
      case 'tenant.planned':
        if (tally.started?.dryRun) for (const line of plans.add(event, tally.command, options.isVerbose)) results.write(`${line}\n`);
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
      case 'run.finished':
        ending = end(event);
        return;
      default:
        view?.observe(event);
    }
  }

  async function end(event: Extract<StampedRunEvent, { type: 'run.finished' }>): Promise<void> {
    await view?.end();
    if (warnings > MAX_WARNINGS)
      progress.write(`${palette.yellow('!')} and ${formatCount(warnings - MAX_WARNINGS, 'more warning')}: --output plain shows them all\n`);
    writeRunEnd(event, { results, progress, palette, resultPalette, isQuiet: options.isQuiet, tally, plans, findings, located });
  }

  return {
    report,
    async finish() {
      // A run that was broken off has no end to report, but its screen must stop.
      await (ending ?? view?.end());
      await Promise.all([results.finish(), progress.finish()]);
    },
  };
}
