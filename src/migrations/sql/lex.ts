/**
 * The lexical part of PostgreSQL's scan.l, as far as it matters for telling statements, names and text apart.
 * Our own, because no library gets all of E'' strings, tagged dollar quotes, nested comments and continued strings right.
 */
export type SqlTokenType =
  | 'space'
  | 'comment'
  /** A keyword or a name without quotes. */
  | 'word'
  /** "name", U&"name" */
  | 'quoted'
  /** 'text', E'text', B'', X'', N'', U&'' */
  | 'string'
  | 'dollar'
  | 'number'
  | 'symbol';

export interface SqlToken {
  readonly type: SqlTokenType;
  /** UTF-16 offsets into the script. */
  readonly start: number;
  readonly end: number;
  /** The script ended inside of it. */
  readonly isUnterminated: boolean;
}

const SPACE = /[ \t\n\r\f\v]+/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const WORD = /[A-Za-z_\u0080-\uFFFF][A-Za-z_0-9$\u0080-\uFFFF]*/y;
const NUMBER = /(?:[0-9]|\.[0-9])[0-9A-Za-z_.]*/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uFFFF][A-Za-z_0-9\u0080-\uFFFF]*)?\$/y;
const STRING_START = /(?:[EeBbXxNn]|[Uu]&)?'/y;
const QUOTED_START = /(?:[Uu]&)?"/y;
/** A string goes on after white space with a line break in it, comments included. */
const CONTINUATION = /[ \t\f\v]*[\n\r](?:[ \t\n\r\f\v]+|--[^\n\r]*[\n\r])*'/y;
const STRING_EDGE = /['\\]/g;

/** The whole script as tokens without gaps: joined they are the script again. */
export function lexSql(sql: string): SqlToken[] {
  const tokens: SqlToken[] = [];
  let at = 0;
  while (at < sql.length) {
    const token = readToken(sql, at);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

function readToken(sql: string, start: number): SqlToken {
  const token = (type: SqlTokenType, end: number, isUnterminated = false): SqlToken => ({ type, start, end, isUnterminated });
  // A byte order mark is one at the very start only; elsewhere it is part of a name, as it is for the server.
  if (start === 0 && sql.startsWith('\uFEFF')) return token('space', 1);
  const space = endOf(SPACE, sql, start);
  if (space !== null) return token('space', space);
  const lineComment = endOf(LINE_COMMENT, sql, start);
  if (lineComment !== null) return token('comment', lineComment);
  if (sql.startsWith('/*', start)) {
    const end = endOfBlockComment(sql, start);
    return token('comment', end ?? sql.length, end === null);
  }
  const string = endOf(STRING_START, sql, start);
  if (string !== null) {
    const end = endOfString(sql, string, /[Ee]/.test(sql[start] ?? ''));
    return token('string', end ?? sql.length, end === null);
  }
  const quoted = endOf(QUOTED_START, sql, start);
  if (quoted !== null) {
    const end = endOfQuotes(sql, quoted, '"');
    return token('quoted', end ?? sql.length, end === null);
  }
  const word = endOf(WORD, sql, start);
  if (word !== null) return token('word', word);
  const tag = endOf(DOLLAR_TAG, sql, start);
  if (tag !== null) {
    const close = sql.indexOf(sql.slice(start, tag), tag);
    return close < 0 ? token('dollar', sql.length, true) : token('dollar', close + tag - start);
  }
  const number = endOf(NUMBER, sql, start);
  return number === null ? token('symbol', start + 1) : token('number', number);
}

function endOf(pattern: RegExp, sql: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : null;
}

function endOfBlockComment(sql: string, start: number): number | null {
  let depth = 1;
  COMMENT_EDGE.lastIndex = start + 2;
  for (let edge = COMMENT_EDGE.exec(sql); edge !== null; edge = COMMENT_EDGE.exec(sql)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return edge.index + 2;
  }
  return null;
}

function endOfString(sql: string, bodyStart: number, isEscaped: boolean): number | null {
  let at = bodyStart;
  for (;;) {
    const end = isEscaped ? endOfEscapedQuotes(sql, at) : endOfQuotes(sql, at, "'");
    if (end === null) return null;
    const continued = endOf(CONTINUATION, sql, end);
    if (continued === null) return end;
    at = continued;
  }
}

/** Loops of their own: a pattern with a repeated choice runs out of stack on a string of some megabytes. */
function endOfQuotes(sql: string, bodyStart: number, quote: string): number | null {
  for (let at = sql.indexOf(quote, bodyStart); at >= 0; at = sql.indexOf(quote, at + 2)) {
    if (sql[at + 1] !== quote) return at + 1;
  }
  return null;
}

function endOfEscapedQuotes(sql: string, bodyStart: number): number | null {
  STRING_EDGE.lastIndex = bodyStart;
  for (let edge = STRING_EDGE.exec(sql); edge !== null; edge = STRING_EDGE.exec(sql)) {
    if (edge[0] === "'" && sql[edge.index + 1] !== "'") return edge.index + 1;
    STRING_EDGE.lastIndex = edge.index + 2;
  }
  return null;
}
