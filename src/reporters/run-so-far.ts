import type { StampedRunEvent } from '../events.js';
import { Tally } from '../fleet/tally.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';

/** What a run had come to when an error ended it. */
export type RunSoFar = Pick<Extract<StampedRunEvent, { type: 'run.finished' }>, 'run' | 'command' | 'counts' | 'failed' | 'ms'>;

/** Counts along with the events of a run. `read` gives null before one has begun, and when it has told its own end. */
export function createRunSoFar(): { note(event: StampedRunEvent): void; read(): RunSoFar | null } {
  let started: Extract<StampedRunEvent, { type: 'run.started' }> | null = null;
  let tally = new Tally();
  let startedMs = 0;
  return {
    note: (event) => {
      if (event.type === 'run.started') {
        started = event;
        startedMs = monotonicMs();
        tally = new Tally();
        tally.count('up-to-date', event.upToDate);
      } else if (event.type === 'tenant.finished') {
        const { type: _, v: __, at: ___, run: ____, ...outcome } = event;
        tally.add(outcome);
      } else if (event.type === 'run.finished') started = null;
    },
    read: () => {
      if (started === null) return null;
      const { run, command } = started;
      return { run, command, counts: tally.counts, failed: tally.failed, ms: elapsedMs(startedMs) };
    },
  };
}
