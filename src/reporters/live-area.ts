import type { LineWriter } from './line-writer.js';
import { measureWidth, truncate } from './terminal-text.js';

export interface TerminalSize {
  readonly columns: () => number;
  readonly rows: () => number;
}

/**
 * The last lines of a terminal, painted over and over.
 *
 * The cursor is never hidden: it rests below the area, so that there is no way to end (a crash, a SIGKILL) that leaves
 * a terminal without one. Each frame is one write, and only lines that changed are sent.
 */
export class LiveArea {
  private readonly writer: LineWriter;
  private readonly size: TerminalSize;
  private painted: readonly string[] = [];
  private paintedColumns = 0;

  constructor(writer: LineWriter, size: TerminalSize) {
    this.writer = writer;
    this.size = size;
  }

  /** Shows these lines in place of those before; what is too wide or too high for the terminal is left out, but not line `focus`. */
  paint(lines: readonly string[], focus = 0): void {
    if (this.writer.isBlocked) return;
    const columns = this.columns;
    const room = Math.max(1, (this.size.rows() || 24) - 1);
    const first = Math.max(0, Math.min(focus - room + 1, lines.length - room));
    const next = lines.slice(first, first + room).map((line) => truncate(line, columns - 1));
    const isResized = columns !== this.paintedColumns;
    const isSame = !isResized && next.length === this.painted.length && next.every((line, index) => line === this.painted[index]);
    if (isSame) return;
    const body = next.map((line, index) => (!isResized && line === this.painted[index] ? '\n' : `${line}\u001b[K\n`)).join('');
    this.writer.write(`${this.goUp(isResized)}${body}${isResized ? '' : '\u001b[J'}`);
    this.painted = next;
    this.paintedColumns = columns;
  }

  /** Puts lines above the area, where they stay. */
  print(lines: readonly string[]): void {
    const area = this.painted;
    this.clear();
    this.writer.write(lines.map((line) => `${line}\n`).join(''));
    if (area.length > 0) this.paint(area);
  }

  clear(): void {
    if (this.painted.length > 0) this.writer.write(this.goUp(true));
    this.painted = [];
  }

  private get columns(): number {
    return Math.max(2, this.size.columns() || 80);
  }

  private goUp(isErased: boolean): string {
    const rows = this.countRows();
    return `\r${rows === 0 ? '' : `\u001b[${rows}A`}${isErased ? '\u001b[J' : ''}`;
  }

  /** After a resize, lines that have become too wide are wrapped by the terminal. */
  private countRows(): number {
    const { columns } = this;
    return this.painted.reduce((rows, line) => rows + Math.max(1, Math.ceil(measureWidth(line) / columns)), 0);
  }
}
