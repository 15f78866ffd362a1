import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';
import { redact } from './redact.js';

/** What of a longer line is dropped: nobody reads on, and memory is to be bounded. */
const LONGEST_LINE = 64_000;
/** A secret that begins before the cut is still there as a whole when it is looked for. */
const MARGIN = 8_000;

/** Turns chunks of a program's output into whole lines without escape sequences and secrets. */
export interface LineReader {
  write(chunk: Buffer): void;
  /** Hands on what no line break has come behind. */
  end(): void;
}

/**
 * A secret may be split over chunks, so nothing is handed on before its line is whole. A carriage return ends a line too: a bar of progress.
 *
 * @param onLines told all lines that a chunk completes at once
 */
export function createLineReader(onLines: (lines: readonly string[]) => void): LineReader {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let isCut = false;
  const clean = (line: string): string => redact(stripVTControlCharacters(line));

  function take(text: string): void {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    const whole = lines.flatMap((line, index) => {
      if (index > 0 || !isCut) return [clean(line)];
      isCut = false;
      return [];
    });
    if (isCut) rest = '';
    else if (rest.length > LONGEST_LINE + MARGIN) {
      whole.push(`${clean(rest).slice(0, LONGEST_LINE)} … (the line goes on)`);
      isCut = true;
      rest = '';
    }
    if (whole.length > 0) onLines(whole);
  }

  return {
    write: (chunk) => take(decoder.write(chunk)),
    end: () => {
      take(decoder.end());
      const last = rest.replace(/\r$/, '');
      if (last !== '' && !isCut) onLines([clean(last)]);
      rest = '';
    },
  };
}
