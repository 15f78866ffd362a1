/** Milliseconds on a clock that never jumps; only differences mean something. */
export function monotonicMs(): number {
  return performance.now();
}

/** Wall-clock time for labels and log lines, never for decisions: those are made by the registry's clock. */
export function wallClock(): Date {
  return new Date();
}

export function elapsedMs(sinceMs: number): number {
  return Math.round(monotonicMs() - sinceMs);
}
