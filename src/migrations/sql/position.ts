export interface SqlPosition {
  /** From 1. */
  readonly line: number;
  /** From 1, in code points. */
  readonly column: number;
}

/** Line breaks are LF, CR LF and CR. */
export function positionAt(text: string, offset: number): SqlPosition {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: before.length, column: countCodePoints((before.at(-1) ?? '').replace(/^\uFEFF/, '')) + 1 };
}

/** UTF-16 offset of the nth code point, from 1: the server counts `position` so. */
export function offsetOfCodePoint(text: string, nth: number): number {
  let offset = 0;
  for (let left = nth - 1; left > 0 && offset < text.length; left--) {
    offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  }
  return offset;
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
