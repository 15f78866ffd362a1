/** Milliseconds on a clock that never jumps; only differences mean something. (`performance` would load nine modules of Node's first.) */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** By both clocks of the machine, for what may have slept in between. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function takeMoment(): Moment {
  return { monotonicMs: monotonicMs(), wallMs: Date.now() };
}

/**
 * How long ago it was, rather too long than too short: the monotonic clock stands still while the machine is suspended (Linux, clock_gettime(2): "does not
 * count time that the system is suspended"), and the wall clock may have been set, in either direction.
 */
export function ageMs(moment: Moment): number {
  return Math.max(monotonicMs() - moment.monotonicMs, Date.now() - moment.wallMs);
}

/** Wall-clock time for labels and log lines, never for decisions: those are made by the registry's clock. */
export function wallClock(): Date {
  return new Date();
}

export function elapsedMs(sinceMs: number): number {
  return Math.round(monotonicMs() - sinceMs);
}
