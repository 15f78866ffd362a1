import { lexSql, type SqlToken } from './lex.js';
import type { SqlStatement } from './script.js';
import { toWord } from './words.js';

/** One place where a script names the schema `public`: the text from `start` to `end` is the name alone. */
export interface PublicName {
  readonly start: number;
  readonly end: number;
  /** Within a 'string', where the quotes of a name need no doubling but its apostrophes do. */
  readonly isInString: boolean;
}

/** Functions whose string argument is the name of a relation. */
const NAMING_FUNCTIONS = new Set(['NEXTVAL', 'SETVAL', 'CURRVAL', 'TO_REGCLASS', 'TO_REGTYPE', 'PG_GET_SERIAL_SEQUENCE']);
const STRING_NAME = /^(\s*)(public|"public")\s*\./i;

/** Looks into the bodies of functions and DO blocks too; not into other strings, unless they are used as a name. */
export function findPublicNames(sql: string, statement: SqlStatement): PublicName[] {
  return findIn(sql, statement.tokens, statement.words, 0, isRoutine(statement.words), false);
}

export function isRoutine(words: readonly string[]): boolean {
  return words[0] === 'DO' || (words[0] === 'CREATE' && words.slice(1, 4).some((word) => word === 'FUNCTION' || word === 'PROCEDURE'));
}

function findIn(
  sql: string,
  tokens: readonly SqlToken[],
  words: readonly string[],
  base: number,
  hasBodies: boolean,
  isInString: boolean,
): PublicName[] {
  const names: PublicName[] = [];
  let isPath = false;
  for (const [index, token] of tokens.entries()) {
    const word = words[index] ?? '';
    if (word === 'SEARCH_PATH') isPath = true;
    else if (isPath && token.type === 'word' && words[index - 1] !== ',' && !/^(=|TO)$/.test(words[index - 1] ?? '')) isPath = false;
    const at = base + token.start;
    if (isPublic(word) && (words[index + 1] === '.' || words[index - 1] === 'SCHEMA' || isPath)) {
      names.push({ start: at, end: base + token.end, isInString });
    } else if (token.type === 'string') {
      names.push(...findInString(sql, token, words, index, base));
    }
    if (hasBodies && (token.type === 'dollar' || token.type === 'string')) names.push(...findInBody(sql, token, base, isInString));
  }
  return names;
}

/** A name without quotes is folded; "Public" is another schema. */
function isPublic(word: string): boolean {
  return word === 'PUBLIC' || word === '"public"';
}

function findInString(sql: string, token: SqlToken, words: readonly string[], index: number, base: number): PublicName[] {
  const isCast = words[index + 1] === ':' && words[index + 2] === ':' && /^REG/.test(words[index + 3] ?? '');
  const isArgument = words[index - 1] === '(' && NAMING_FUNCTIONS.has(words[index - 2] ?? '');
  if (!isCast && !isArgument) return [];
  const open = sql.indexOf("'", base + token.start) + 1;
  const match = STRING_NAME.exec(sql.slice(open, base + token.end));
  if (match === null) return [];
  const start = open + (match[1]?.length ?? 0);
  return [{ start, end: start + (match[2]?.length ?? 0), isInString: true }];
}

function findInBody(sql: string, token: SqlToken, base: number, isInString: boolean): PublicName[] {
  const start = base + token.start;
  const end = base + token.end;
  const tagLength = token.type === 'dollar' ? sql.indexOf('$', start + 1) + 1 - start : sql.indexOf("'", start) + 1 - start;
  const closeLength = token.type === 'dollar' ? tagLength : 1;
  const body = sql.slice(start + tagLength, end - closeLength);
  const tokens = lexSql(body).filter(({ type }) => type !== 'space' && type !== 'comment');
  const words = tokens.map(({ type, start: from, end: to }) => toWord(body.slice(from, to), type));
  return findIn(sql, tokens, words, start + tagLength, false, isInString || token.type === 'string');
}
