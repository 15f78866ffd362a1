import { readObjectKind } from './words.js';

/**
 * What becomes of a statement that is interrupted.
 * `session`: changes nothing but the session. `data`: changes rows, in a transaction of the caller's.
 * `definition`: commits by itself, whole or not at all. `opaque`: may do anything, and commit in between.
 */
export type StatementKind = 'session' | 'data' | 'definition' | 'opaque';

const SESSION = new Set(['SET', 'SELECT', 'PREPARE', 'DEALLOCATE', 'DO', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN', 'HELP', 'VALUES', '(']);
const DATA = new Set(['INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'WITH', 'LOAD', 'SAVEPOINT', 'ROLLBACK', 'RELEASE', 'TABLE', 'HANDLER']);
const OPAQUE = new Set(['CALL', 'EXECUTE', 'BEGIN', 'IF', 'CASE', 'LOOP', 'WHILE', 'REPEAT', 'FOR']);

export function kindOf(words: readonly string[]): StatementKind {
  const [first = '', second = ''] = words;
  if (first === 'DROP' && second === 'PREPARE') return 'session';
  // MariaDB's: what follows is carried out, whatever it is.
  if ((first === 'SET' && second === 'STATEMENT') || (first === 'ANALYZE' && !/^(TABLE|LOCAL|NO_WRITE_TO_BINLOG)$/.test(second)))
    return 'opaque';
  // A function that is called may change rows.
  if (first === 'SELECT' || first === 'DO' || first === 'SET' || first === '(') return isPlainRead(words) ? 'session' : 'data';
  if (SESSION.has(first)) return 'session';
  if (DATA.has(first)) return 'data';
  if (OPAQUE.has(first)) return 'opaque';
  // These commit nothing, and go with the session.
  if ((first === 'CREATE' || first === 'DROP') && isTemporary(words)) return 'data';
  return 'definition';
}

/** Has to be run again by a session that goes on where another one was interrupted. */
export function setsSession(words: readonly string[]): boolean {
  const [first, second] = words;
  if (first === 'SET') return second !== 'STATEMENT';
  if (first === 'PREPARE' || first === 'DEALLOCATE' || (first === 'DROP' && second === 'PREPARE')) return true;
  return (
    first === 'SELECT' &&
    (words.some((word, at) => word === 'INTO' && words[at + 1] === '@') || words.some((word, at) => word === ':' && words[at + 1] === '='))
  );
}

const BUILT_IN =
  /^(?:IF|COUNT|MAX|MIN|SUM|CONCAT|COALESCE|IFNULL|NOW|UUID|DATABASE|VERSION|CURRENT_USER|SELECT|EXISTS|IN|AND|OR|NOT|FROM|WHERE|THEN|ELSE|WHEN|VALUES|ON|AS|BY|OF|CONCAT_WS|GROUP_CONCAT|REPLACE|SLEEP|CAST|CONVERT|ROUND|DATE|ROW_COUNT|LAST_INSERT_ID)$/;

function isPlainRead(words: readonly string[]): boolean {
  return words.every((word, at) => words[at + 1] !== '(' || !/^[A-Z_]\w*$/.test(word) || BUILT_IN.test(word));
}

function isTemporary(words: readonly string[]): boolean {
  const { at } = readObjectKind(words);
  return words.slice(1, at).includes('TEMPORARY');
}
