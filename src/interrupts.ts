import { EXIT } from './errors/define.js';
import { TenancyError } from './errors.js';
import type { RunSignals } from './runs/execute-run.js';

/** What the process lets itself be told by signals. */
export interface InterruptHost {
  on(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
  exit(code: number): void;
  close(): Promise<void>;
}

/** How long an abort may take to end before the process ends anyway. */
const GRACE_MS = 10_000;
/** How long a command that minds no signals may take to close. */
const CLOSE_MS = 2_000;

/**
 * The first Ctrl-C stops starting tenants, the second aborts those in flight; a third, or 10 s, ends the process.
 * A command that doesn't mind signals is closed and ended at the first.
 */
export function createInterrupts(host: InterruptHost): { takeSignals(): RunSignals } {
  const drain = new AbortController();
  const abort = new AbortController();
  let isMinded = false;
  let count = 0;

  function interrupt(reason: 'interrupted' | 'terminated'): void {
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
    abort.abort(new TenancyError('TENANCY_RUN_ABORTED', {}));
    setTimeout(() => host.exit(code), GRACE_MS).unref();
  }

  host.on('SIGINT', () => interrupt('interrupted'));
  host.on('SIGTERM', () => interrupt('terminated'));
  host.on('SIGHUP', () => interrupt('terminated'));
  return {
    takeSignals: () => {
      isMinded = true;
      return { drain: drain.signal, abort: abort.signal };
    },
  };
}
