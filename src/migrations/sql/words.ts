import type { SqlToken } from './lex.js';

/** What a token means: a keyword in upper case, a quoted name without its escapes, everything else as it is written. */
export function toWord(text: string, type: SqlToken['type']): string {
  if (type === 'word') return text.toUpperCase();
  return type === 'quoted' ? decodeQuoted(text) : text;
}

/** The name that an identifier stands for: folded to lower case unless it is quoted. */
export function unquoteName(text: string): string {
  const plain = decodeQuoted(text);
  return plain.startsWith('"') ? plain.slice(1, -1).replaceAll('""', '"') : plain.toLowerCase();
}

/** `U&"d\0061t\+000061"` → `"data"`. Another escape character, which UESCAPE behind it may set, isn't known here. */
function decodeQuoted(text: string): string {
  if (!/^U&"/i.test(text)) return text;
  return text.slice(2).replace(/\\(?:(\\)|\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4}))/g, (whole, backslash, long, short) => {
    if (backslash !== undefined) return '\\';
    const code = Number.parseInt(long ?? short, 16);
    const character = code > 0x10ffff ? whole : String.fromCodePoint(code);
    return character === '"' ? '""' : character;
  });
}
