import { setMaxListeners } from 'node:events';
import { TenancyError, type TenancyErrorDetails } from '../errors.js';
import type { DrainReason } from '../run-stop.js';
import type { RunSignals } from './execute-run.js';

/** Why no more tenants are started. */
export interface DrainCause {
  readonly reason: DrainReason;
  /** The wave that stopped the run, or in which it was stopped; null where there are no waves. */
  readonly wave: number | null;
  readonly waves: number | null;
  /** What a gate gave as its reason, or how many failed. */
  readonly detail: string | null;
}

/** The two ways a run ends early, as signals: no more tenants are started, and those in flight are stopped too. */
export interface Draining {
  readonly signal: AbortSignal;
  readonly aborting: AbortSignal;
  /** Null as long as nothing has stopped the run. */
  readonly cause: DrainCause | null;
  /** From now on the run is in this wave. */
  enter(wave: number, waves: number): void;
  /** Only the first reason counts. */
  drain(reason: DrainReason, detail?: string): void;
  /** Drains, and stops those in flight. */
  abort(reason: DrainReason): void;
  /** Listens no longer: the signals that it listens to may live longer than the run. */
  close(): void;
}

export function createDraining(signals: RunSignals, onDrain: (cause: DrainCause) => void): Draining {
  const draining = new AbortController();
  const aborting = new AbortController();
  // One for each tenant in flight.
  setMaxListeners(0, aborting.signal);
  let wave: Pick<DrainCause, 'wave' | 'waves'> = { wave: null, waves: null };
  let cause: DrainCause | null = null;

  function drain(reason: DrainReason, detail?: string): void {
    if (cause) return;
    cause = { reason, ...wave, detail: detail ?? null };
    draining.abort(reason);
    onDrain(cause);
  }
  function abort(reason: DrainReason): void {
    drain(reason);
    aborting.abort(new TenancyError('TENANCY_RUN_ABORTED', describeAbort(reason), { cause: signals.abort.reason }));
  }
  const unlisten = [listen(signals.drain, () => drain(readDrainReason(signals.drain))), listen(signals.abort, () => abort('interrupted'))];

  return {
    signal: draining.signal,
    aborting: aborting.signal,
    get cause() {
      return cause;
    },
    enter: (number, of) => {
      wave = { wave: number, waves: of };
    },
    drain,
    abort,
    close: () => {
      for (const stop of unlisten) stop();
    },
  };
}

/** Not why the run drains: a run that drains for one reason may be stopped for another. */
function describeAbort(reason: DrainReason): TenancyErrorDetails<'TENANCY_RUN_ABORTED'> {
  if (reason === 'lease-lost') return { by: 'take-over' };
  return { by: reason === 'cancelled' ? 'cancel' : 'interrupt' };
}

/** What a signal asked for. A program may abort one with any reason, or none: that is an interrupt. */
export function readDrainReason({ reason }: AbortSignal): 'interrupted' | 'terminated' {
  return reason === 'terminated' ? 'terminated' : 'interrupted';
}

/** Calls back when the signal aborts, or at once where it has. */
function listen(signal: AbortSignal, onAbort: () => void): () => void {
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}
