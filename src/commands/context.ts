import type { Readable, Writable } from 'node:stream';
import type { OutputMode } from '../reporters/reporter.js';
import type { RunSoFar } from '../reporters/run-so-far.js';
import type { RunSignals } from '../runs/execute-run.js';

/** What a command may touch of the world outside: handed down by `cli.ts`, which alone knows the process. */
export interface CommandContext {
  /** Opened when it is first asked for, which costs more than it looks. */
  stdin(): Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nodeVersion: string;
  readonly globals: GlobalOptions;
  readonly columns: () => number;
  readonly rows: () => number;
  /** The first Ctrl-C drains, the second aborts; but for a run that has begun, the first ends the command. */
  takeSignals(): RunSignals;
  /** A run has begun, or has told its end. */
  noteRun(event: 'run.started' | 'run.finished'): void;
  /** An error has ended a run that had begun: what it had come to is told with it. */
  noteBroken(soFar: RunSoFar | null): void;
  /** Closed in any case before the process ends, also by a Ctrl-C. */
  closeAtExit(close: () => Promise<void>): void;
  /** Nothing of the user's is under way: the process may end as soon as the command has, without waiting for what is left to come to rest. */
  endAtOnce(): void;
}

/** The options that every command takes. */
export interface GlobalOptions {
  readonly config: string | undefined;
  readonly output: OutputMode;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  readonly isColorful: boolean;
  readonly isYes: boolean;
  /** A person can be asked. */
  readonly canAsk: boolean;
  readonly acceptCluster: readonly string[];
  /** File of the JUnit report, as it was given. */
  readonly junit: string | undefined;
}
