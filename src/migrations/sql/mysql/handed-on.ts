import type { SqlStatement } from '../script.js';
import { findReach, type Reach } from './reach.js';
import { parseMysqlScript } from './script.js';

/** With these a text in a variable is taken for a statement; most are no more than text. */
const STATEMENTS = new Set(['DROP', 'CREATE', 'ALTER', 'RENAME', 'TRUNCATE', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'GRANT', 'REVOKE']);
const ESCAPED = /\\([^])|''|""/g;

/**
 * What is reached for in a text that is a statement itself: of `EXECUTE IMMEDIATE`, of `PREPARE … FROM`, and of a variable that one of
 * these may read. One that is put together from pieces isn't seen.
 */
export function findHandedOn(sql: string, { tokens, words }: SqlStatement): readonly Reach[] {
  return tokens.flatMap(({ start, end }, index) => {
    const text = sql.slice(start, end);
    const handed = /^['"]/.test(text) ? howHandedOn(words, index) : null;
    if (handed === null) return [];
    const inner = text.slice(1, -1).replace(ESCAPED, (found: string, escaped?: string) => escaped ?? found[0] ?? '');
    return parseMysqlScript(inner)
      .statements.filter((statement) => handed === 'statement' || STATEMENTS.has(statement.words[0] ?? ''))
      .flatMap((statement) => findReach(inner, statement).map((reach) => ({ ...reach, offset: start })));
  });
}

type Handed = 'statement' | 'variable';

function howHandedOn(words: readonly string[], index: number): Handed | null {
  const before = words[index - 1];
  if (before === 'IMMEDIATE') return words[index - 2] === 'EXECUTE' ? 'statement' : null;
  if (before === 'FROM') return words[index - 3] === 'PREPARE' ? 'statement' : null;
  return (before === '=' || before === ':=') && words[0] === 'SET' ? 'variable' : null;
}
