import type { RunEvent } from '../events.js';
import { drawFleet } from './fleet-screen.js';
import type { LiveArea, TerminalSize } from './live-area.js';
import type { Palette } from './palette.js';
import { RateMeter } from './rate-meter.js';
import type { RunTally } from './run-tally.js';

/** At most ten frames a second, whatever the number of events. */
const PAINT_MS = 100;

/** Many tenants on one screen, which goes away when the run ends. */
export class FleetView {
  private readonly area: LiveArea;
  private readonly tally: RunTally;
  private readonly palette: Palette;
  private readonly size: TerminalSize;
  private readonly meter = new RateMeter();
  private readonly startedAtMs = Date.now();
  private readonly timer: NodeJS.Timeout;

  constructor(area: LiveArea, tally: RunTally, palette: Palette, size: TerminalSize) {
    this.area = area;
    this.tally = tally;
    this.palette = palette;
    this.size = size;
    this.timer = setInterval(() => this.paint(), PAINT_MS).unref();
  }

  /** The tally has heard of it already; the next frame shows it. */
  observe(_event: RunEvent): void {}

  async end(): Promise<void> {
    clearInterval(this.timer);
    this.area.clear();
  }

  private paint(): void {
    const nowMs = Date.now();
    this.meter.record(nowMs, this.tally.done);
    const { tally, palette, startedAtMs } = this;
    this.area.paint(
      drawFleet({
        tally,
        palette,
        nowMs,
        startedAtMs,
        rate: this.meter.measure(nowMs, tally.done),
        columns: this.size.columns() || 80,
        rows: this.size.rows() || 24,
      }),
    );
  }
}
