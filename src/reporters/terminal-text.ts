const COLOUR = /\u001b\[\d+m/g;
// Nothing here is wider or narrower than one column.
const IS_NARROW = /^[\u0020-\u007e\u00b7\u2026\u2190-\u2193\u2500-\u259f\u2714\u2716\u2800-\u28ff]*$/;

/** Columns that a text takes in a terminal: colours none, East Asian wide characters and emoji two. */
export function measureWidth(text: string): number {
  const bare = text.replace(COLOUR, '');
  if (IS_NARROW.test(bare)) return bare.length;
  let width = 0;
  for (const character of bare) width += widthOf(character);
  return width;
}

/** Cut to at most `columns`, with an ellipsis where something is missing; colours are kept, and closed. */
export function truncate(text: string, columns: number): string {
  if (measureWidth(text) <= columns) return text;
  if (columns <= 0) return '';
  let width = 0;
  let cut = '';
  let at = 0;
  for (const { index, 0: colour } of [...text.matchAll(COLOUR), { index: text.length, 0: '' }]) {
    for (const character of text.slice(at, index)) {
      const next = widthOf(character);
      // What is past the edge is dropped, but colours that are still to be switched off are not.
      if (width + next > columns - 1) {
        if (width < columns) cut += '…';
        width = columns;
        break;
      }
      width += next;
      cut += character;
    }
    cut += colour;
    at = index + colour.length;
  }
  return cut;
}

/** Cut or filled up to exactly `columns`. */
export function fitWidth(text: string, columns: number): string {
  const cut = truncate(text, columns);
  return cut + ' '.repeat(Math.max(0, columns - measureWidth(cut)));
}

function widthOf(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  return isWide(code) ? 2 : 1;
}

// The blocks of Unicode's EastAsianWidth.txt that are W or F, and emoji shown as pictures; single code points between them don't matter here.
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0x4dbf) ||
    (code >= 0x4e00 && code <= 0xa4cf) ||
    (code >= 0xa960 && code <= 0xa97c) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1f64f) ||
    (code >= 0x1f680 && code <= 0x1f6ff) ||
    (code >= 0x1f900 && code <= 0x1f9ff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}
