import type { SqlToken, SqlTokenType } from '../lex.js';

/**
 * The lexical part of MySQL's and MariaDB's sql_lex.cc, as far as it matters for telling statements, names and text apart. Our own, because the
 * splitters that there are lose positions, or take a body without DELIMITER apart. Read as under a sql_mode without ANSI_QUOTES and
 * NO_BACKSLASH_ESCAPES, which is how our sessions are set: "text" is a string, and a backslash escapes.
 */
export interface MysqlLexer {
  /** The delimiter itself isn't a part of words: `END$$` ends at `$$`. */
  next(at: number, delimiter: string): SqlToken;
}

const SPACE = /[ \t\n\r\f\v]+/y;
/** Two dashes are a comment only where a blank or a control character of ASCII, or nothing, follows. */
const LINE_COMMENT = /(?:#|--(?=[ \p{Cc}]|$)(?![\u0080-\u009F]))[^\n]*/uy;
/** What is in it is run by the servers that it is for; told apart as if it were run. */
const EXECUTABLE_START = /\/\*M?!\d*/y;
const FLOAT = /(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORD = /[0-9A-Za-z_$\u0080-\uFFFF]+/y;
const NUMBER = /^(?:\d+|0x[0-9a-f]+|0b[01]+|\d+e\d+)$/i;

export function createMysqlLexer(sql: string): MysqlLexer {
  let isInExecutable = false;
  const token = (type: SqlTokenType, start: number, end: number, isUnterminated = false): SqlToken => ({
    type,
    start,
    end,
    isUnterminated,
  });
  return {
    next: (at, delimiter) => {
      if (at === 0 && sql.startsWith('\uFEFF')) return token('space', 0, 1);
      const space = endOf(SPACE, sql, at);
      if (space !== null) return token('space', at, space);
      const executable = endOf(EXECUTABLE_START, sql, at);
      if (executable !== null) {
        const isClosed = sql.indexOf('*/', executable) >= 0;
        isInExecutable = true;
        return token('comment', at, executable, !isClosed);
      }
      if (isInExecutable && sql.startsWith('*/', at)) {
        isInExecutable = false;
        return token('comment', at, at + 2);
      }
      const lineComment = endOf(LINE_COMMENT, sql, at);
      if (lineComment !== null) return token('comment', at, lineComment);
      if (sql.startsWith('/*', at)) {
        const close = sql.indexOf('*/', at + 2);
        return close < 0 ? token('comment', at, sql.length, true) : token('comment', at, close + 2);
      }
      const quote = sql[at] ?? '';
      if (quote === "'" || quote === '"') {
        const end = endOfString(sql, at + 1, quote);
        return token('string', at, end ?? sql.length, end === null);
      }
      if (quote === '`') {
        const end = endOfName(sql, at + 1);
        return token('quoted', at, end ?? sql.length, end === null);
      }
      if (sql.startsWith(delimiter, at)) return token('symbol', at, at + delimiter.length);
      const float = endOf(FLOAT, sql, at);
      if (float !== null) return token('number', at, float);
      const word = endOf(WORD, sql, at);
      if (word === null) return token('symbol', at, at + 1);
      const cut = sql.slice(at, word).indexOf(delimiter);
      const end = cut < 0 ? word : at + cut;
      return token(NUMBER.test(sql.slice(at, end)) ? 'number' : 'word', at, end);
    },
  };
}

/** Where a comment that is run ends for a server that it isn't for: such a one knows no strings in it, only comments. */
export function endOfSkipped(sql: string, bodyStart: number): number | null {
  for (let at = bodyStart; ; ) {
    const close = sql.indexOf('*/', at);
    const inner = sql.indexOf('/*', at);
    if (close < 0) return null;
    if (inner < 0 || inner > close) return close + 2;
    const innerClose = sql.indexOf('*/', inner + 2);
    if (innerClose < 0) return null;
    at = innerClose + 2;
  }
}

function endOf(pattern: RegExp, sql: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : null;
}

const STRING_EDGES: Readonly<Record<string, RegExp>> = { "'": /['\\]/g, '"': /["\\]/g };

/** Loops of their own: a pattern with a repeated choice runs out of stack on a string of some megabytes. */
function endOfString(sql: string, bodyStart: number, quote: string): number | null {
  const edges = STRING_EDGES[quote] ?? /$/g;
  edges.lastIndex = bodyStart;
  for (let edge = edges.exec(sql); edge !== null; edge = edges.exec(sql)) {
    if (edge[0] === quote && sql[edge.index + 1] !== quote) return edge.index + 1;
    edges.lastIndex = edge.index + 2;
  }
  return null;
}

function endOfName(sql: string, bodyStart: number): number | null {
  for (let at = sql.indexOf('`', bodyStart); at >= 0; at = sql.indexOf('`', at + 2)) {
    if (sql[at + 1] !== '`') return at + 1;
  }
  return null;
}
