import type { Writable } from 'node:stream';
import type { StampedRunEvent } from '../events.js';

/** Puts the events of one run into words, or into lines of JSON. */
export interface Reporter {
  /** Never throws and never blocks. */
  report(event: StampedRunEvent): void;
  /** Waits until everything is written; `run.finished` has been reported before. */
  finish(): Promise<void>;
}

export type OutputMode = 'tty' | 'plain' | 'json';

export interface ReporterOptions {
  readonly output: OutputMode;
  /** Results. */
  readonly stdout: Writable;
  /** Progress, warnings and failures. */
  readonly stderr: Writable;
  readonly isColorful: boolean;
  /** Failures and results only. */
  readonly isQuiet: boolean;
  /** Every step and migration too. */
  readonly isVerbose: boolean;
  readonly columns: () => number;
  readonly rows: () => number;
}

export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  switch (options.output) {
    case 'json':
      return (await import('./jsonl.js')).createJsonlReporter(options);
    case 'plain':
      return (await import('./plain.js')).createPlainReporter(options);
    case 'tty':
      return (await import('./tty.js')).createTtyReporter(options);
  }
}
