const WINDOW_MS = 15_000;
const SAMPLE_MS = 250;

/** How fast a count grows, over the last quarter of a minute: the pace of the start says little about that of the end. */
export class RateMeter {
  private readonly samples: { readonly atMs: number; readonly count: number }[] = [];

  record(atMs: number, count: number): void {
    const last = this.samples.at(-1);
    if (last !== undefined && atMs - last.atMs < SAMPLE_MS) return;
    this.samples.push({ atMs, count });
    while (this.samples.length > 2 && atMs - (this.samples[0]?.atMs ?? atMs) > WINDOW_MS) this.samples.shift();
  }

  /** Per second; null while there is too little to go by. */
  measure(atMs: number, count: number): number | null {
    const first = this.samples[0];
    if (first === undefined || atMs - first.atMs < 2 * SAMPLE_MS || count === first.count) return null;
    return ((count - first.count) * 1000) / (atMs - first.atMs);
  }
}
