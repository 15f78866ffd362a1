import type { SqlStatement } from './script.js';

const MOST_LINES = 6;
const MOST_COLUMNS = 160;
/** Also within another string, where quotes are doubled; rather too much is hidden than too little. */
const SECRET_STRING = /(\bpassword\b["']*\s*[=,]?\s*E?'+)([^']+(?:''[^']*)*)/gi;
const SECRET_DOLLAR = /(\bpassword\s+\$\w*\$)([^$]+)/gi;
const SECRET_SETTING = /(password\s*=\s*)([^\s'"]+)/gi;

/** A few lines of the statement, numbered as in the file, with a caret under `offset` where it is known. No passwords. */
export function excerptStatement(sql: string, { start, end }: SqlStatement, offset: number | null): string {
  const lines = numberedLines(hideSecrets(sql), start, end);
  const marked = offset === null ? -1 : lines.findIndex((line) => offset <= line.end);
  const first = Math.max(0, Math.min(marked - 3, lines.length - MOST_LINES));
  const shown = lines.slice(first, first + MOST_LINES);
  const width = String(shown.at(-1)?.number ?? 0).length;
  const text = shown.flatMap((line) => {
    const row = `${String(line.number).padStart(width)} | ${line.text.slice(0, MOST_COLUMNS)}`;
    if (line !== lines[marked] || offset === null || offset - line.start >= MOST_COLUMNS) return [row];
    const before = [...line.text.slice(0, Math.max(0, offset - line.start))];
    return [row, `${' '.repeat(width)} | ${before.map((character) => (character === '\t' ? '\t' : ' ')).join('')}^`];
  });
  if (first + MOST_LINES < lines.length) text.push(`${' '.repeat(width)} | …`);
  return text.join('\n');
}

/** Of the same length, so that every offset holds. */
export function hideSecrets(sql: string): string {
  const hide = (_: string, before: string, secret: string): string => before + secret.replace(/[^\r\n]/g, '*');
  return sql.replace(SECRET_STRING, hide).replace(SECRET_DOLLAR, hide).replace(SECRET_SETTING, hide);
}

interface NumberedLine {
  readonly number: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The whole lines that the range touches. */
function numberedLines(sql: string, from: number, to: number): NumberedLine[] {
  const lines: NumberedLine[] = [];
  const breaks = /\r\n|\r|\n/g;
  let start = sql.startsWith('\uFEFF') ? 1 : 0;
  for (let number = 1; start <= to; number++) {
    const found = breaks.exec(sql);
    const end = found?.index ?? sql.length;
    if (end >= from) lines.push({ number, start, end, text: sql.slice(start, end) });
    if (!found) break;
    start = breaks.lastIndex;
  }
  return lines;
}
