import { createHash } from 'node:crypto';
import { IF_EXISTS, nameAt, readObjectKind, skipWords } from '../../../migrations/sql/mysql/words.js';
import type { SqlStatement } from '../../../migrations/sql/script.js';
import { numberOf } from '../classify.js';
import type { ServerConnection } from '../connection.js';
import { readRow } from '../engine-context.js';
import { quoteName, quoteText } from '../quote.js';

/**
 * How it can be told, after an interruption, whether a statement that commits by itself was carried out. Its things are looked at before it is
 * sent and again afterwards: since MySQL 8.0 and MariaDB 10.6 a DDL statement is atomic, so what has changed is done, and what hasn't bears to be sent again.
 * `rerun`: ends in the same state however often it is run. `catalog`: SQL that is evaluated with the intent, a text for each thing.
 * `definition`: tables whose CREATE is compared, for what changes more of them than that they are there.
 */
export type StatementEffect =
  | { readonly type: 'rerun' }
  | { readonly type: 'unknown' }
  | { readonly type: 'catalog'; readonly texts: readonly string[] }
  | { readonly type: 'definition'; readonly tables: readonly string[]; readonly isUnchangedUnknown: boolean };

const MAINTENANCE = new Set(['ANALYZE', 'OPTIMIZE', 'CHECK', 'REPAIR', 'TRUNCATE', 'CHECKSUM', 'CACHE']);
const UNKNOWN: StatementEffect = { type: 'unknown' };
const RERUN: StatementEffect = { type: 'rerun' };

export function readEffect(sql: string, statement: SqlStatement): StatementEffect {
  const { words } = statement;
  const [first = ''] = words;
  if (MAINTENANCE.has(first)) return RERUN;
  if (first === 'RENAME') return words[1] === 'TABLE' || words[1] === 'TABLES' ? renameEffect(sql, statement) : UNKNOWN;
  if (first !== 'CREATE' && first !== 'ALTER' && first !== 'DROP') return UNKNOWN;
  const { kind, at } = readObjectKind(words);
  const named = skipWords(words, at + 1, IF_EXISTS);
  const isTolerant = words[at + 1] === 'IF' || (first === 'CREATE' && words.slice(1, at).includes('REPLACE'));
  switch (kind) {
    case 'TABLE':
    case 'VIEW':
    case 'SEQUENCE':
      if (first === 'ALTER') return kind === 'TABLE' ? alterEffect(sql, statement, named) : RERUN;
      if (isTolerant && !words.includes('SELECT')) return RERUN;
      return catalog(listNames(sql, statement, named), tableText);
    case 'INDEX':
      return indexEffect(sql, statement, at);
    case 'PROCEDURE':
    case 'FUNCTION':
    case 'TRIGGER':
    case 'EVENT':
    case 'PACKAGE':
      if (isTolerant || (first === 'ALTER' && kind !== 'EVENT')) return RERUN;
      if (words[at + 1] === 'BODY') return UNKNOWN;
      return catalog([nameAt(sql, statement, qualified(words, named))], (name) => routineText(kind, name));
    // Of the tenant's own: its character set, its comment.
    case 'DATABASE':
    case 'SCHEMA':
      return RERUN;
    default:
      return UNKNOWN;
  }
}

/** What is stored with the intent, as SQL. Reads the definitions of tables, where they are needed. */
export async function signatureOf(connection: ServerConnection, effect: StatementEffect): Promise<string> {
  if (effect.type === 'catalog') return `CONCAT_WS(',', ${effect.texts.join(', ')})`;
  if (effect.type !== 'definition') return 'NULL';
  return quoteText((await readDefinitions(connection, effect.tables)).join(','));
}

/** What the catalogue says now of a statement that was started, against what it said then. */
export async function probeEffect(
  connection: ServerConnection,
  effect: StatementEffect,
  before: string | null,
): Promise<'done' | 'again' | 'unknown'> {
  if (effect.type === 'rerun') return 'again';
  if (effect.type === 'unknown' || before === null) return 'unknown';
  const then = before.split(',');
  const now =
    effect.type === 'catalog'
      ? (String((await readRow(connection, `SELECT CONCAT_WS(',', ${effect.texts.join(', ')}) AS now`))?.now).split(',') ?? [])
      : await readDefinitions(connection, effect.tables);
  const changed = now.filter((text, index) => text !== then[index]).length;
  if (changed === 0) return effect.type === 'definition' && effect.isUnchangedUnknown ? 'unknown' : 'again';
  return changed === now.length ? 'done' : 'unknown';
}

function catalog(names: readonly (string | null)[], toText: (name: string) => string): StatementEffect {
  const known = names.filter((name) => name !== null);
  return known.length === 0 || known.length < names.length ? UNKNOWN : { type: 'catalog', texts: known.map(toText) };
}

/** EXCHANGE takes as much as it gives, and IMPORT and DISCARD change files: no definition tells of these. */
function alterEffect(sql: string, statement: SqlStatement, named: number): StatementEffect {
  const { words } = statement;
  if (words.some((word) => word === 'EXCHANGE' || word === 'IMPORT' || word === 'DISCARD')) return UNKNOWN;
  const at = skipWords(words, named, new Set(['ONLINE', 'IGNORE']));
  const name = nameAt(sql, statement, at);
  return name === null ? UNKNOWN : { type: 'definition', tables: [name], isUnchangedUnknown: false };
}

function indexEffect(sql: string, statement: SqlStatement, at: number): StatementEffect {
  const on = statement.words.indexOf('ON', at);
  const name = on < 0 ? null : nameAt(sql, statement, on + 1);
  return name === null ? UNKNOWN : { type: 'definition', tables: [name], isUnchangedUnknown: false };
}

/** `a TO b`: a goes and b comes. Where a name is both, tables of one shape may have changed places without a trace. */
function renameEffect(sql: string, statement: SqlStatement): StatementEffect {
  const names: (string | null)[] = [];
  for (let at = skipWords(statement.words, 2, IF_EXISTS); at < statement.words.length; at += 2) {
    names.push(nameAt(sql, statement, at));
    if (statement.words[at + 1] !== 'TO' && statement.words[at + 1] !== ',') break;
  }
  const known = names.filter((name) => name !== null);
  if (known.length < names.length || names.length % 2 === 1) return UNKNOWN;
  if (new Set(known).size === known.length) return catalog(known, tableText);
  return { type: 'definition', tables: [...new Set(known)], isUnchangedUnknown: true };
}

function listNames(sql: string, statement: SqlStatement, from: number): (string | null)[] {
  const names = [nameAt(sql, statement, from)];
  if (statement.words[0] !== 'DROP') return names;
  for (let at = from + 1; statement.words[at] === ','; at += 2) names.push(nameAt(sql, statement, at + 1));
  return names;
}

function qualified(words: readonly string[], at: number): number {
  return words[at + 1] === '.' ? at + 2 : at;
}

function tableText(name: string): string {
  return `(SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ${quoteText(name)})`;
}

/** With when it was changed last, as ALTER EVENT leaves it there. */
function routineText(kind: string, name: string): string {
  const text = quoteText(name);
  if (kind === 'TRIGGER')
    return `(SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME = ${text})`;
  if (kind === 'EVENT')
    return `COALESCE((SELECT LAST_ALTERED FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND EVENT_NAME = ${text}), '')`;
  return `(SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE = '${kind}' AND ROUTINE_NAME = ${text})`;
}

async function readDefinitions(connection: ServerConnection, tables: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const table of tables) found.push(await readDefinition(connection, table));
  return found;
}

/** Without the counter, which goes on as rows come in. */
async function readDefinition(connection: ServerConnection, table: string): Promise<string> {
  try {
    const row = await readRow(connection, `SHOW CREATE TABLE ${quoteName(table)}`);
    const text = String(row?.['Create Table'] ?? row?.['Create View'] ?? '').replace(/ AUTO_INCREMENT=\d+/, '');
    return createHash('sha256').update(text).digest('hex').slice(0, 32);
  } catch (error) {
    // ER_NO_SUCH_TABLE
    if (numberOf(error) !== 1146) throw error;
    return 'absent';
  }
}
