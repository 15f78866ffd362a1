import type { StampedRunEvent } from '../events.js';
import { toJsonLine } from './json-line.js';
import { createLineWriter } from './line-writer.js';
import type { Reporter, ReporterOptions } from './reporter.js';

/** Past this much unread output, progress is left out; outcomes never are. */
const MAX_WAITING = 4 * 1024 * 1024;

/** One event a line on stdout, `run.finished` last. */
export function createJsonlReporter({ stdout }: Pick<ReporterOptions, 'stdout'>): Reporter {
  const writer = createLineWriter(stdout, { isGathered: true });
  let leftOut = 0;
  let isOver = false;

  return {
    report(event) {
      if (isOver) return;
      if (writer.waiting > MAX_WAITING && isProgress(event)) {
        leftOut += 1;
        return;
      }
      if (event.type === 'run.finished') {
        isOver = true;
        if (leftOut > 0) writer.write(`${toJsonLine(describeLoss(event, leftOut))}\n`);
      }
      writer.write(`${toJsonLine(event)}\n`);
    },
    finish: () => writer.finish(),
  };
}

function isProgress({ type }: StampedRunEvent): boolean {
  return (
    type === 'step.started' ||
    type === 'step.finished' ||
    type === 'migration.finished' ||
    type === 'tenant.started' ||
    type === 'tenant.retried'
  );
}

function describeLoss({ v, at, run }: StampedRunEvent, leftOut: number): StampedRunEvent {
  return {
    v,
    at,
    run,
    type: 'run.warned',
    code: 'TENANCY_EVENTS_OMITTED',
    message: `${leftOut} events of progress were left out, because the reader of stdout was too slow; no outcome is missing`,
  };
}
