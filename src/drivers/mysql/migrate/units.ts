import { kindOf } from '../../../migrations/sql/mysql/statement-kind.js';
import { nameAt } from '../../../migrations/sql/mysql/words.js';
import type { SqlScript, SqlStatement } from '../../../migrations/sql/script.js';
import { quoteText } from '../quote.js';
import { readEffect, type StatementEffect } from './statement-effect.js';

/** What is done, or not, as one. */
export type Unit =
  /** Statements that change rows or the session, in a transaction with the progress that they make. */
  | { readonly type: 'rows'; readonly statements: readonly SqlStatement[]; readonly tables: readonly string[] }
  /** One statement that commits by itself; the progress is written before and after it. */
  | {
      readonly type: 'alone';
      readonly statement: SqlStatement;
      readonly effect: StatementEffect;
      /** It may have kept a part of its work where it failed. */
      readonly mayKeepWork: boolean;
    };

/**
 * From the statement `from` on.
 * @param exposed true: tables that rows go into turned out to have an engine without transactions, so each statement stands alone.
 */
export function toUnits({ sql, statements }: SqlScript, from: number, isExposed: (statement: SqlStatement) => boolean): Unit[] {
  const units: Unit[] = [];
  let rows: SqlStatement[] = [];
  const finish = (): void => {
    if (rows.length > 0)
      units.push({ type: 'rows', statements: rows, tables: [...new Set(rows.flatMap((statement) => changedTables(sql, statement)))] });
    rows = [];
  };
  for (const statement of statements.slice(from)) {
    const kind = kindOf(statement.words);
    const standsAlone = kind === 'definition' || kind === 'opaque' || (kind === 'data' && isExposed(statement));
    if (!standsAlone) {
      rows.push(statement);
      continue;
    }
    finish();
    units.push({
      type: 'alone',
      statement,
      effect: kind === 'definition' ? readEffect(sql, statement) : { type: 'unknown' },
      // A single statement that is prepared is undone as a whole, like any other.
      mayKeepWork: kind !== 'definition' && statement.words[0] !== 'EXECUTE',
    });
  }
  finish();
  return units;
}

const ENDS = new Set(['SET', 'VALUES', 'VALUE', 'SELECT', 'WHERE', 'ORDER', 'LIMIT', '(', 'ON']);

/** Names that a statement which changes rows has before its values and conditions: the tables, and perhaps something else. */
function changedTables(sql: string, statement: SqlStatement): string[] {
  const [first = ''] = statement.words;
  if (!/^(INSERT|REPLACE|UPDATE|DELETE|LOAD|WITH)$/.test(first)) return [];
  // What WITH defines comes first; then everything is looked at.
  const end = first === 'WITH' || first === 'LOAD' ? -1 : statement.words.findIndex((word, at) => at > 0 && ENDS.has(word));
  return statement.words.slice(0, end < 0 ? undefined : end).flatMap((word, at) => {
    const name = at === 0 || /^(INTO|FROM|IGNORE|JOIN|LOW_PRIORITY|DELAYED|QUICK)$/.test(word) ? null : nameAt(sql, statement, at);
    return name === null ? [] : [name];
  });
}

/** Names of those of the tables whose engine can't undo; rows. */
export function readExposed(tables: readonly string[]): string {
  return (
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ` +
    `AND TABLE_NAME IN (${tables.map(quoteText).join(', ')}) AND ENGINE NOT IN (SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES')`
  );
}

export function changesAny(sql: string, statement: SqlStatement, tables: ReadonlySet<string>): boolean {
  return changedTables(sql, statement).some((name) => tables.has(name));
}
