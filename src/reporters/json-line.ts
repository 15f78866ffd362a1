/**
 * A value as JSON on one line, whoever splits the lines: some readers end a line at U+0085, U+2028 and U+2029 too (Python's
 * `splitlines`), which JSON leaves as they are.
 */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0085\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
