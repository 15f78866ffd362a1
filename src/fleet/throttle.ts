import { sleep } from '../util/abort.js';
import { elapsedMs, monotonicMs } from '../util/clock.js';

/** Holds the tenants of one lane back for as long as there is a reason to. */
export interface Throttle {
  readonly isHeld: boolean;
  /** Resolves once there is no reason to wait, or nothing is to be started any more. Never rejects. */
  admit(): Promise<void>;
}

export interface ThrottleOptions {
  /** Gives the reason to wait, or null. Must not reject. */
  readonly ask: () => Promise<string | null>;
  /** How long an answer holds. */
  readonly everyMs: number;
  /** Once it aborts nobody is held, or asked. */
  readonly signal: AbortSignal;
  readonly onHeld: (reason: string) => void;
  /** After every answer that holds, also the first. */
  readonly whileHeld: () => void;
  readonly onReleased: (ms: number) => void;
}

/**
 * Asks only when somebody is about to be started and the last answer is old: nothing is asked while all places are taken, and whoever asks over a
 * connection finds one free. However many wait, one asks.
 */
export function createThrottle({ ask, everyMs, signal, onHeld, whileHeld, onReleased }: ThrottleOptions): Throttle {
  let answeredMs: number | null = null;
  let heldSinceMs: number | null = null;
  let asking: Promise<void> | null = null;

  async function askAnew(): Promise<void> {
    const reason = await ask();
    answeredMs = monotonicMs();
    if (signal.aborted) return;
    if (reason !== null) {
      const isNew = heldSinceMs === null;
      heldSinceMs ??= answeredMs;
      if (isNew) onHeld(reason);
      whileHeld();
    } else if (heldSinceMs !== null) {
      const ms = elapsedMs(heldSinceMs);
      heldSinceMs = null;
      onReleased(ms);
    }
  }

  return {
    get isHeld() {
      return heldSinceMs !== null && !signal.aborted;
    },
    admit: async () => {
      while (!signal.aborted) {
        const leftMs = answeredMs === null ? 0 : answeredMs + everyMs - monotonicMs();
        if (leftMs > 0 && heldSinceMs === null) return;
        if (leftMs > 0) await sleep(leftMs, signal).catch(() => undefined);
        else {
          asking ??= askAnew().finally(() => {
            asking = null;
          });
          await asking;
        }
      }
    },
  };
}
