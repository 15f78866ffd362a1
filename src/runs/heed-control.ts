import { LEASE_MS } from '../lifecycle/leases.js';
import type { RunContext } from '../lifecycle/run-context.js';
import type { RunControl } from '../registry/registry.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';

/** How often the registry is asked: a pause has to hold within two seconds. A run that is over before is never asked about. */
const POLL_MS = 1_000;

/** What is asked of a run from other terminals and machines, as its process heeds it. */
export interface ControlWatch {
  readonly isHeld: boolean;
  /** Asks now, or awaits the answer that is under way: for who joins a run of which something may have been asked long ago. */
  look(): Promise<void>;
  /** Resolves once the run isn't held, or nothing is to be started any more. */
  admit(): Promise<void>;
  close(): Promise<void>;
}

export interface ControlOptions {
  /** Who speaks for the run. @default the owner of its leases */
  readonly owner?: string;
  /** Nothing is asked of the run before it is in the registry. */
  readonly opened?: Promise<void>;
  /** Once it aborts nothing is held: what was not started is to be counted. */
  readonly draining: AbortSignal;
  readonly countProgress: () => { readonly inFlight: number; readonly notStarted: number };
  /** Frees what was taken ahead of the work, so that others can have it; called again as long as the run is held. */
  readonly giveBack: () => Promise<void>;
  readonly onCancel: () => void;
  readonly onAbort: () => void;
  /** Another process goes on with this run. */
  readonly onTakenOver: () => void;
}

/**
 * Asks the registry once a second what is asked of the run, which keeps the run alive too where no lease is held.
 * While the registry is out of reach the run goes on as it was last told.
 */
export function heedControl(run: RunContext, options: ControlOptions): ControlWatch {
  const { draining, countProgress } = options;
  const { registry, runId, leases } = run;
  let hold: { readonly sinceMs: number; readonly over: Promise<void>; end(): void } | null = null;
  let polling: Promise<void> | null = null;
  let isClosed = false;

  const hear = (): Promise<RunControl | null> =>
    registry.hearRun(runId, { owner: options.owner ?? leases.owner, ttlMs: LEASE_MS, isHolding: hold !== null });

  async function poll(): Promise<void> {
    await options.opened;
    const control = await hear();
    if (isClosed) return;
    if (control === null) options.onTakenOver();
    else if (control === 'abort') options.onAbort();
    else if (control === 'cancel') options.onCancel();
    else if (control === 'pause') await pause();
    else if (hold !== null) await goOn();
  }

  async function pause(): Promise<void> {
    if (draining.aborted) return;
    const isNew = hold === null;
    if (isNew) {
      let end = (): void => undefined;
      const over = new Promise<void>((resolve) => {
        end = resolve;
      });
      hold = { sinceMs: monotonicMs(), over, end };
      run.emit({ type: 'run.paused', ...countProgress() });
      // Others see at once that it holds.
      await hear();
    }
    await options.giveBack();
  }

  async function goOn(): Promise<void> {
    const { sinceMs } = hold ?? { sinceMs: monotonicMs() };
    release();
    run.emit({ type: 'run.resumed', ms: elapsedMs(sinceMs), notStarted: countProgress().notStarted });
    await hear();
  }

  function release(): void {
    hold?.end();
    hold = null;
  }

  function look(): Promise<void> {
    polling ??= poll()
      .catch(() => undefined)
      .finally(() => {
        polling = null;
      });
    return polling;
  }

  draining.addEventListener('abort', release, { once: true });
  // It also keeps a process up that has nothing else to wait for.
  const timer = setInterval(() => void look(), POLL_MS);

  return {
    get isHeld() {
      return hold !== null;
    },
    look,
    admit: async () => {
      while (hold !== null) await hold.over;
    },
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      draining.removeEventListener('abort', release);
      release();
      await polling;
    },
  };
}
