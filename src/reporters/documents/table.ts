import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';
import { measureWidth } from '../terminal-text.js';

export interface Cell {
  readonly text: string;
  readonly paint?: ((text: string) => string) | undefined;
  /** Numbers line up at their end. */
  readonly isNumber?: boolean;
  /** In a header: columns to begin with, so that later pages of a long table line up too. */
  readonly minWidth?: number;
}

const GAP = '  ';

/** Aligned rows. Widths may be carried over from one page of a long table to the next; they only grow. */
export class Table {
  private readonly widths: number[];
  private readonly header: readonly Cell[];

  constructor(header: readonly Cell[]) {
    this.header = header;
    this.widths = header.map(({ text, minWidth = 0 }) => Math.max(minWidth, measureWidth(text)));
  }

  print(rows: readonly (readonly Cell[])[]): readonly string[] {
    for (const row of rows) this.measure(row);
    return rows.map((row) => this.printRow(row));
  }

  /** After the first rows were measured. */
  printHeader(palette: Palette): string {
    return this.printRow(this.header.map((cell) => ({ ...cell, paint: palette.dim })));
  }

  measure(row: readonly Cell[]): void {
    for (const [index, { text }] of row.entries()) this.widths[index] = Math.max(this.widths[index] ?? 0, measureWidth(sanitizeLine(text)));
  }

  private printRow(row: readonly Cell[]): string {
    const cells = row.map(({ text, paint, isNumber }, index) => {
      const clean = sanitizeLine(text);
      const padding = ' '.repeat(Math.max(0, (this.widths[index] ?? 0) - measureWidth(clean)));
      const painted = paint === undefined ? clean : paint(clean);
      return isNumber === true ? padding + painted : painted + padding;
    });
    return cells.join(GAP).trimEnd();
  }
}

/** Names and values under each other: `status   active`. */
export function printFacts(facts: readonly (readonly [name: string, value: string])[], palette: Palette): readonly string[] {
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${palette.dim(name.padEnd(width))}${GAP}${sanitizeLine(value)}`);
}

/** `2026-11-21 01:26:39 UTC`, or `-`. */
export function printTime(iso: string | null): string {
  return iso === null ? '-' : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
