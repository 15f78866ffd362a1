/** Milliseconds on a clock that never jumps; only differences mean something. (`performance` would load nine modules of Node's first.) */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Wall-clock time for labels and log lines, never for decisions: those are made by the registry's clock. */
export function wallClock(): Date {
  return new Date();
}

export function elapsedMs(sinceMs: number): number {
  return Math.round(monotonicMs() - sinceMs);
}
