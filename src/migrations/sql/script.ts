import { lexSql, type SqlToken } from './lex.js';
import { toWord } from './words.js';

/** A script, told apart into the statements that the server will see. */
export interface SqlScript {
  readonly sql: string;
  /** Without gaps. */
  readonly tokens: readonly SqlToken[];
  readonly statements: readonly SqlStatement[];
  /** Set where the end of the script would swallow what is sent after it. */
  readonly unfinished: UnfinishedSql | null;
}

export interface SqlStatement {
  /** From 0. */
  readonly index: number;
  /** UTF-16 offsets of its text, without the semicolon, and without space and comments around it. */
  readonly start: number;
  readonly end: number;
  /** Without space and comments. */
  readonly tokens: readonly SqlToken[];
  /** Of the same length as `tokens`: words in upper case, quoted names without escapes, everything else as it is written. */
  readonly words: readonly string[];
}

export interface UnfinishedSql {
  readonly offset: number;
  readonly what: string;
}

const NAMES: Partial<Record<SqlToken['type'], string>> = {
  comment: 'a /* comment that is never closed',
  string: "a 'string' that is never closed",
  quoted: 'a "name" that is never closed',
  dollar: 'a $$ string that is never closed',
};

/** Splits as the server's grammar does: at semicolons outside of parentheses and of BEGIN ATOMIC … END bodies. */
export function parseSqlScript(sql: string): SqlScript {
  const tokens = lexSql(sql);
  const statements: SqlStatement[] = [];
  const opened: SqlToken[] = [];
  let current: SqlToken[] = [];
  let words: string[] = [];
  let bodyDepth = 0;
  let bodyStart = 0;
  const finish = (): void => {
    const first = current[0];
    const last = current.at(-1);
    if (first && last) statements.push({ index: statements.length, start: first.start, end: last.end, tokens: current, words });
    current = [];
    words = [];
    bodyDepth = 0;
    opened.length = 0;
  };
  for (const token of tokens) {
    if (token.type === 'space' || token.type === 'comment') continue;
    const text = sql.slice(token.start, token.end);
    if (text === ';' && opened.length === 0 && bodyDepth === 0) {
      finish();
      continue;
    }
    const word = toWord(text, token.type);
    if (text === '(') opened.push(token);
    else if (text === ')') opened.pop();
    else if (word === 'ATOMIC' && words.at(-1) === 'BEGIN' && words[0] === 'CREATE' && bodyDepth === 0) {
      bodyDepth = 1;
      bodyStart = token.start;
    } else if (bodyDepth > 0 && !isLabel(words)) {
      if (word === 'CASE') bodyDepth++;
      if (word === 'END') bodyDepth--;
    }
    current.push(token);
    words.push(word);
  }
  const unfinished = findUnfinished(sql, tokens, opened[0], bodyDepth > 0 ? bodyStart : null);
  finish();
  return { sql, tokens, statements, unfinished };
}

/** After a dot or AS even a reserved word is a name. */
function isLabel(words: readonly string[]): boolean {
  const before = words.at(-1);
  return before === '.' || before === 'AS';
}

function findUnfinished(
  sql: string,
  tokens: readonly SqlToken[],
  paren: SqlToken | undefined,
  bodyStart: number | null,
): UnfinishedSql | null {
  // The protocol ends a text at the first NUL, and with it what is sent behind the script.
  const nul = sql.indexOf('\0');
  if (nul >= 0) return { offset: nul, what: 'a NUL character, which ends the text for the server' };
  const last = tokens.at(-1);
  if (last?.isUnterminated) return { offset: last.start, what: NAMES[last.type] ?? 'something that is never closed' };
  if (paren) return { offset: paren.start, what: 'a ( that is never closed' };
  return bodyStart === null ? null : { offset: bodyStart, what: 'a BEGIN ATOMIC body without its END' };
}
