/** Base of the back-off; the first delay is between half of it and all of it. */
const BASE_MS = 200;
/** No delay is longer. */
const CAP_MS = 10_000;

/** Exponential back-off with "equal jitter": at least half of the ceiling, so that a retry is never immediate. */
export function backOffMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.round(ceiling / 2 + random() * (ceiling / 2));
}
