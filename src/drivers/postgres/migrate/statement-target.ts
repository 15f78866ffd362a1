import type { SqlStatement } from '../../../migrations/sql/script.js';
import { unquoteName } from '../../../migrations/sql/words.js';

/** What a statement outside of transactions is about, as far as the catalogue can be asked about it. */
export interface StatementTarget {
  readonly type: 'create-index' | 'drop-index' | 'reindex' | 'maintenance';
  /** UTF-16 offset, in the script, of the name of the table (of the index: DROP, REINDEX INDEX). */
  readonly start: number;
  readonly isQualified: boolean;
  readonly schema: string | null;
  /** Of the table or index named there. */
  readonly name: string;
  /** CREATE INDEX: of the new index; null where the server is to choose one. */
  readonly index: string | null;
}

/** Options, in their order, that may stand between a command and the name it is about. */
const FILLERS = new Set([
  'CONCURRENTLY',
  'IF',
  'NOT',
  'EXISTS',
  'ONLY',
  'FULL',
  'FREEZE',
  'VERBOSE',
  'ANALYZE',
  'TABLE',
  'INDEX',
  'UNIQUE',
]);

/** Null for what isn't one of them, or is about several things at once. */
export function readTarget(sql: string, statement: SqlStatement): StatementTarget | null {
  const { words } = statement;
  switch (words[0]) {
    case 'CREATE': {
      const on = words.indexOf('ON');
      if (!words.includes('CONCURRENTLY') || on < 0) return null;
      const name = skipFillers(words, 1);
      const index = name < on ? nameAt(sql, statement, name) : null;
      return named(sql, statement, 'create-index', skipFillers(words, on + 1), index?.name ?? null);
    }
    case 'DROP':
      return words.includes('CONCURRENTLY') && !words.includes(',')
        ? named(sql, statement, 'drop-index', skipFillers(words, 1), null)
        : null;
    case 'REINDEX':
      return words.includes('CONCURRENTLY') ? named(sql, statement, 'reindex', skipFillers(words, skipParens(words, 1)), null) : null;
    case 'VACUUM':
    case 'CLUSTER':
      return named(sql, statement, 'maintenance', skipFillers(words, skipParens(words, 1)), null);
    default:
      return null;
  }
}

function named(
  sql: string,
  statement: SqlStatement,
  type: StatementTarget['type'],
  at: number,
  index: string | null,
): StatementTarget | null {
  const found = nameAt(sql, statement, at);
  return found && { type, index, ...found };
}

function nameAt(
  sql: string,
  { tokens, words }: SqlStatement,
  at: number,
): Pick<StatementTarget, 'start' | 'isQualified' | 'schema' | 'name'> | null {
  const first = tokens[at];
  if (!first || (first.type !== 'word' && first.type !== 'quoted')) return null;
  const isQualified = words[at + 1] === '.';
  const last = isQualified ? tokens[at + 2] : first;
  if (!last) return null;
  const text = ({ start, end }: { start: number; end: number }): string => unquoteName(sql.slice(start, end));
  return { start: first.start, isQualified, schema: isQualified ? text(first) : null, name: text(last) };
}

function skipFillers(words: readonly string[], from: number): number {
  let at = from;
  while (FILLERS.has(words[at] ?? '')) at++;
  return at;
}

function skipParens(words: readonly string[], from: number): number {
  return words[from] === '(' ? words.indexOf(')', from) + 1 : from;
}
