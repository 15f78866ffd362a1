import type { SqlStatement } from '../../../migrations/sql/script.js';

/** Something that a session knew and the next one doesn't, and the number of the statement that needs it. */
export interface LostValue {
  readonly what: string;
  readonly usedAt: number;
}

/** Of what was said before alone, so that they give the same again. */
const REPEATABLE =
  /^(?:CONCAT|CONCAT_WS|IF|IFNULL|NULLIF|COALESCE|CAST|CONVERT|CHAR|DECIMAL|REPLACE|REPEAT|LOWER|UPPER|TRIM|HEX|UNHEX|JSON_OBJECT|JSON_ARRAY|DATABASE|SCHEMA|VERSION|CURRENT_USER)$/;
const CHANGING =
  /^(?:SELECT|TABLE|NOW|CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|LOCALTIME|LOCALTIMESTAMP|UTC_DATE|UTC_TIME|UTC_TIMESTAMP|IDENTITY|LAST_INSERT_ID|INSERT_ID|TIMESTAMP|WARNING_COUNT|ERROR_COUNT)$/;
const ADDING = new Set(['INSERT', 'REPLACE', 'LOAD', 'CALL', 'EXECUTE', 'WITH']);

/**
 * A session that goes on with a script runs its SET and SELECT … INTO again. What these read from rows, from the clock or from the statement before
 * may be another value by then: rows would be written with it, and nobody told. Null where nothing behind `from` needs such a value.
 */
export function findLost(statements: readonly SqlStatement[], from: number): LostValue | null {
  const lost = new Set<string>();
  for (const { words } of statements.slice(0, from)) {
    const assigned = assignedIn(words);
    const isLost = !isRepeatable(words, lost);
    for (const name of assigned) {
      if (isLost) lost.add(name);
      else lost.delete(name);
    }
  }
  let hasAdded = !statements.slice(0, from).some(({ words }) => ADDING.has(words[0] ?? ''));
  for (const { words, index } of statements.slice(from)) {
    const assigned = assignedIn(words);
    const used = usedIn(words).find((name) => lost.has(name));
    if (used !== undefined) return { what: `the variable @${used.toLowerCase()}`, usedAt: index };
    if (!hasAdded && words.some((word, at) => word === 'LAST_INSERT_ID' && words[at + 1] === '(' && words[at + 2] === ')'))
      return { what: 'LAST_INSERT_ID()', usedAt: index };
    for (const name of assigned) lost.delete(name);
    hasAdded ||= ADDING.has(words[0] ?? '');
  }
  return null;
}

function isRepeatable(words: readonly string[], lost: ReadonlySet<string>): boolean {
  if (words[0] === 'SELECT' || usedIn(words).some((name) => lost.has(name))) return false;
  return words.every((word, at) => !CHANGING.test(word) && (words[at + 1] !== '(' || !/^[A-Z_]\w*$/.test(word) || REPEATABLE.test(word)));
}

/** In upper case, as they are named without case; without the mention that is given a value. `@@name` is the server's own. */
function usedIn(words: readonly string[]): string[] {
  const assigned = assignedIn(words);
  const named = words.flatMap((word, at) => (isVariable(words, at) ? [nameOf(word)] : []));
  return named.filter((name, at) => !assigned.has(name) || named.indexOf(name) !== at);
}

/** `SET @a = …, @b := …`; `SELECT … INTO @a, @b`; `SELECT @a := …`. */
function assignedIn(words: readonly string[]): ReadonlySet<string> {
  const into = words[0] === 'SELECT' ? words.lastIndexOf('INTO') : -1;
  return new Set(
    words.flatMap((word, at) => {
      if (!isVariable(words, at)) return [];
      const isSet = words[0] === 'SET' && /^(?:SET|,)$/.test(words[at - 2] ?? '') && /^(?:=|:)/.test(words[at + 1] ?? '');
      const isInline = words[0] === 'SELECT' && words[at + 1] === ':' && words[at + 2] === '=';
      return isSet || isInline || (into > 0 && at > into) ? [nameOf(word)] : [];
    }),
  );
}

function isVariable(words: readonly string[], at: number): boolean {
  return words[at - 1] === '@' && words[at - 2] !== '@' && words[at] !== '@';
}

function nameOf(word: string): string {
  return word.replace(/^[`'"]|[`'"]$/g, '').toUpperCase();
}
