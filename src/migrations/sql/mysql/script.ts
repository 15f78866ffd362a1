import type { SqlToken } from '../lex.js';
import type { SqlScript, SqlStatement, UnfinishedSql } from '../script.js';
import { createBodyTracker } from './body.js';
import { createMysqlLexer, endOfSkipped } from './lex.js';

const NAMES: Partial<Record<SqlToken['type'], string>> = {
  comment: 'a /* comment that is never closed',
  string: 'a string that is never closed',
  quoted: 'a `name` that is never closed',
};

/** A body with none of these is one statement, which ends at its semicolon, whatever the delimiter: the server takes what follows for the next. */
const BLOCK = /\b(?:BEGIN|IF|CASE|LOOP|WHILE|REPEAT|PACKAGE|END)\b/i;

const DELIMITER = /delimiter[ \t]+(\S+)[^\n]*/iy;

/**
 * Tells a script apart into the statements that the server will see: at semicolons outside of the bodies of routines, triggers and events, with
 * or without the client's DELIMITER around them. `words`: in upper case, names in backticks and strings as they are written.
 */
export function parseMysqlScript(sql: string): SqlScript {
  const lexer = createMysqlLexer(sql);
  const tokens: SqlToken[] = [];
  const statements: SqlStatement[] = [];
  let delimiter = ';';
  let current: SqlToken[] = [];
  let start = -1;
  let openBody: UnfinishedSql | null = null;
  let tracker = createBodyTracker();
  let executable: SqlToken | null = null;
  let ambiguous: UnfinishedSql | null = null;
  let end = 0;
  /** A word is judged when the one behind it is known. */
  let pending: SqlToken | null = null;
  const wordOf = (token: SqlToken | null): string => {
    if (token === null) return '';
    const text = sql.slice(token.start, token.end);
    return token.type === 'word' ? text.toUpperCase() : text;
  };
  const settle = (next: SqlToken | null): void => {
    if (pending !== null) tracker.feed(wordOf(pending), wordOf(next), pending.start);
    pending = null;
  };
  const finish = (): void => {
    if (current.length > 0) statements.push({ index: statements.length, start, end, tokens: current, words: current.map(wordOf) });
    current = [];
    start = -1;
    tracker = createBodyTracker();
  };
  const hasBlocks = (from: number): boolean => {
    const to = sql.indexOf(delimiter, from);
    return BLOCK.test(sql.slice(from, to < 0 ? undefined : to));
  };
  for (let at = 0; at < sql.length; ) {
    if (start < 0) {
      DELIMITER.lastIndex = at;
      const command = isAtLineStart(sql, at) ? DELIMITER.exec(sql) : null;
      if (command !== null) {
        delimiter = command[1] ?? ';';
        tokens.push({ type: 'comment', start: at, end: DELIMITER.lastIndex, isUnterminated: false });
        at = DELIMITER.lastIndex;
        continue;
      }
    }
    const token = lexer.next(at, delimiter);
    tokens.push(token);
    at = token.end;
    if (token.type === 'space') continue;
    if (token.type === 'comment') {
      // What opens and closes a comment that is run belongs to its statement.
      const text = sql.slice(token.start, token.end);
      if (/^\/\*M?!/.test(text)) executable = token;
      else if (text !== '*/') continue;
      else {
        if (executable !== null && endOfSkipped(sql, executable.end) !== token.end)
          ambiguous ??= { offset: executable.start, what: 'a comment that is run, and that ends elsewhere where it is not run' };
        executable = null;
      }
      if (start < 0) start = token.start;
      end = token.end;
      continue;
    }
    const text = sql.slice(token.start, token.end);
    if (token.type === 'symbol' && (text === delimiter || text === ';')) {
      settle(token);
      const isInside = executable !== null || tracker.depth > 0 || (delimiter !== ';' && tracker.isRoutine && hasBlocks(start));
      if (text === delimiter && (delimiter !== ';' || !isInside)) {
        openBody ??= unfinishedBody(tracker.depth, tracker.openedAt);
        finish();
        continue;
      }
      if (text === ';' && !isInside) {
        finish();
        continue;
      }
    } else settle(token);
    if (start < 0) start = token.start;
    end = token.end;
    current.push(token);
    pending = token;
  }
  settle(null);
  openBody ??= unfinishedBody(tracker.depth, tracker.openedAt);
  const unfinished = findUnfinished(sql, tokens, executable, openBody) ?? ambiguous;
  finish();
  return { sql, tokens, statements, unfinished };
}

function isAtLineStart(sql: string, at: number): boolean {
  return /(?:^|\n)[ \t\uFEFF]*$/.test(sql.slice(Math.max(0, at - 200), at));
}

function unfinishedBody(depth: number, openedAt: number): UnfinishedSql | null {
  return depth > 0 ? { offset: openedAt, what: 'a block (BEGIN, IF, CASE, LOOP, …) without its END' } : null;
}

function findUnfinished(
  sql: string,
  tokens: readonly SqlToken[],
  executable: SqlToken | null,
  body: UnfinishedSql | null,
): UnfinishedSql | null {
  const nul = sql.indexOf('\0');
  if (nul >= 0) return { offset: nul, what: 'a NUL character, which no statement may hold' };
  const last = tokens.at(-1);
  if (last?.isUnterminated) return { offset: last.start, what: NAMES[last.type] ?? 'something that is never closed' };
  if (executable) return { offset: executable.start, what: NAMES.comment ?? '' };
  return body;
}
