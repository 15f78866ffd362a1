import { EXIT, type ExitCode } from './errors/define.js';
import { TenancyError } from './errors.js';
import type { RunSignals } from './runs/execute-run.js';
import { monotonicMs } from './util/clock.js';

/** What the process lets itself be told by signals. */
export interface InterruptHost {
  on(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
  exit(code: ExitCode): void;
  close(): Promise<void>;
}

/** How long an abort may take to end before the process ends anyway. */
const GRACE_MS = 10_000;
/** How long a command without a run may take to close. */
const CLOSE_MS = 2_000;
/**
 * Signals that come closer than this are one: coreutils' `timeout` sends what it gets to its child and then to its whole group, and a
 * Ctrl-C in a terminal reaches a command both from there and from the `npm` around it.
 */
export const ECHO_MS = 250;

export interface Interrupts {
  readonly signals: RunSignals;
  /** From now on a run minds the signals itself. */
  mind(): void;
}

/**
 * The first Ctrl-C stops starting tenants, the second aborts those in flight; a third, or 10 s, ends the process.
 * Where no run has begun there is nothing to drain: the command is closed and ended at the first.
 */
export function createInterrupts(host: InterruptHost): Interrupts {
  const drain = new AbortController();
  const abort = new AbortController();
  let isMinded = false;
  let count = 0;
  let countedAt = Number.NEGATIVE_INFINITY;

  function interrupt(reason: 'interrupted' | 'terminated'): void {
    const now = monotonicMs();
    if (now - countedAt < ECHO_MS) return;
    countedAt = now;
    const code = reason === 'interrupted' ? EXIT.interrupted : EXIT.terminated;
    count += 1;
    if (!isMinded) {
      if (count > 1) return host.exit(code);
      setTimeout(() => host.exit(code), CLOSE_MS).unref();
      void host.close().finally(() => host.exit(code));
      return;
    }
    if (count === 1) return drain.abort(reason);
    if (count > 2) return host.exit(code);
    abort.abort(new TenancyError('TENANCY_RUN_ABORTED', { by: 'interrupt' }));
    setTimeout(() => host.exit(code), GRACE_MS).unref();
  }

  host.on('SIGINT', () => interrupt('interrupted'));
  host.on('SIGTERM', () => interrupt('terminated'));
  host.on('SIGHUP', () => interrupt('terminated'));
  return {
    signals: { drain: drain.signal, abort: abort.signal },
    mind: () => {
      isMinded = true;
    },
  };
}
