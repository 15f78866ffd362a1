import type { SqlStatement } from '../script.js';

/** The name that an identifier stands for; null for what isn't one. */
export function nameAt(sql: string, { tokens }: SqlStatement, at: number): string | null {
  const token = tokens[at];
  if (token?.type !== 'word' && token?.type !== 'quoted') return null;
  const text = sql.slice(token.start, token.end);
  return token.type === 'quoted' ? text.slice(1, -1).replaceAll('``', '`') : text;
}

/** The first place from `at` on that isn't one of the words. */
export function skipWords(words: readonly string[], at: number, skipped: ReadonlySet<string>): number {
  let to = at;
  while (skipped.has(words[to] ?? '')) to++;
  return to;
}

const CREATE_OPTIONS = new Set([
  'OR',
  'REPLACE',
  'TEMPORARY',
  'UNIQUE',
  'FULLTEXT',
  'SPATIAL',
  'ONLINE',
  'OFFLINE',
  'AGGREGATE',
  'UNDEFINED',
  'MERGE',
  'TEMPTABLE',
  'IGNORE',
]);

/** What a CREATE, ALTER or DROP is about (`TABLE`, `PROCEDURE`, …), and where that word stands; options and DEFINER = … passed over. */
export function readObjectKind(words: readonly string[]): { readonly kind: string; readonly at: number } {
  let at = 1;
  for (;;) {
    at = skipWords(words, at, CREATE_OPTIONS);
    if (words[at] === 'ALGORITHM' && words[at + 1] === '=') at += 2;
    else if (words[at] === 'SQL' && words[at + 1] === 'SECURITY') at += 3;
    else if (words[at] === 'DEFINER' && words[at + 1] === '=') {
      at += 3;
      if (words[at - 1] === 'CURRENT_USER' && words[at] === '(') at += 2;
      if (words[at] === '@') at += 2;
    } else return { kind: words[at] ?? '', at };
  }
}

export const IF_EXISTS: ReadonlySet<string> = new Set(['IF', 'NOT', 'EXISTS']);
