import type { SqlStatement } from '../script.js';
import { IF_EXISTS, nameAt, readObjectKind, skipWords } from './words.js';

/** Something that isn't the tenant's own. */
export interface Reach {
  readonly what: string;
  readonly offset: number;
  readonly beyond: 'database' | 'server' | 'history';
}

/** May be read from: the server shows each login there what concerns it. */
const CATALOGUES = new Set(['information_schema', 'performance_schema', 'sys', 'mysql']);
const FILLERS: ReadonlySet<string> = new Set([
  ...IF_EXISTS,
  'IGNORE',
  'LOW_PRIORITY',
  'DELAYED',
  'HIGH_PRIORITY',
  'QUICK',
  'ONLY',
  'LATERAL',
  'TABLE',
  'BODY',
]);
/** Behind them a table, view or routine is named, and not a column. */
const NAMING = new Set([
  'TABLE',
  'TABLES',
  'INTO',
  'FROM',
  'JOIN',
  'STRAIGHT_JOIN',
  'REFERENCES',
  'TRUNCATE',
  'VIEW',
  'PROCEDURE',
  'FUNCTION',
  'TRIGGER',
  'EVENT',
  'CALL',
  'SEQUENCE',
  'LIKE',
]);
const SERVER_VERBS = new Set([
  'KILL',
  'SHUTDOWN',
  'RESTART',
  'INSTALL',
  'UNINSTALL',
  'FLUSH',
  'RESET',
  'PURGE',
  'CHANGE',
  'START',
  'STOP',
  'CLONE',
  'BINLOG',
  'GRANT',
  'REVOKE',
  'BACKUP',
]);
const SERVER_KINDS = new Set(['USER', 'ROLE', 'SERVER', 'TABLESPACE', 'LOGFILE', 'RESOURCE', 'INSTANCE', 'UNDO']);
const OWN_DATABASE = new Set(['DEFAULT', 'CHARACTER', 'CHARSET', 'COLLATE', 'COMMENT', 'ENCRYPTION', 'READ', '']);

/** What of it can be told from the text: names with a database in front are told where a table has to be named, not in columns like `t.id`. */
export function findReach(sql: string, statement: SqlStatement): readonly Reach[] {
  const { words, start } = statement;
  const [first = ''] = words;
  const found: Reach[] = [];
  const add = (beyond: Reach['beyond'], what: string, offset: number = start): void => {
    found.push({ beyond, what, offset });
  };
  if (first === 'USE') add('database', `USE ${nameAt(sql, statement, 1) ?? ''}`.trim());
  const { kind, at } = readObjectKind(words);
  const isAbout = first === 'CREATE' || first === 'ALTER' || first === 'DROP' || first === 'RENAME';
  if (isAbout && (kind === 'DATABASE' || kind === 'SCHEMA') && !(first === 'ALTER' && OWN_DATABASE.has(words[at + 1] ?? '')))
    add('database', `${first} ${kind}`);
  if (isAbout && SERVER_KINDS.has(kind)) add('server', `${first} ${kind}`);
  if (SERVER_VERBS.has(first)) add('server', first);
  if (first === 'SET') findGlobalSettings(statement, add);
  findNames(sql, statement, add);
  return found;
}

type Add = (beyond: Reach['beyond'], what: string, offset?: number) => void;

function findGlobalSettings({ words, tokens }: SqlStatement, add: Add): void {
  words.forEach((word, at) => {
    const before = words[at - 1];
    const isScope = word === 'GLOBAL' || word === 'PERSIST' || word === 'PERSIST_ONLY';
    if (isScope && (before === 'SET' || before === ',' || before === '@') && words[at + 1] !== '=')
      add('server', `SET ${word}`, tokens[at]?.start);
  });
  if (words[1] === 'PASSWORD' || words[1] === 'ROLE' || (words[1] === 'DEFAULT' && words[2] === 'ROLE')) add('server', `SET ${words[1]}`);
}

function findNames(sql: string, statement: SqlStatement, add: Add): void {
  const { words, tokens } = statement;
  /** Of each open parenthesis, whether a query stands in it; elsewhere FROM is a part of TRIM, EXTRACT and the like. */
  const queries: boolean[] = [];
  const isIndex = words[0] === 'CREATE' || words[0] === 'DROP';
  words.forEach((word, index) => {
    const token = tokens[index];
    if (token === undefined) return;
    if (word === '(') queries.push(/^(SELECT|WITH|\()$/.test(words[index + 1] ?? ''));
    if (word === ')') queries.pop();
    const name = nameAt(sql, statement, index);
    if (name !== null && /^_tenancy/i.test(name) && words[index - 1] !== '@') add('history', `the table ${name}`, token.start);
    const isNaming =
      (NAMING.has(word) && token.type === 'word' && !(word === 'FROM' && queries.at(-1) === false)) ||
      (word === 'UPDATE' && !['KEY', 'ON', 'FOR'].includes(words[index - 1] ?? '')) ||
      (word === 'ON' && isIndex && words.slice(0, index).some((before) => before === 'INDEX' || before === 'TRIGGER')) ||
      (word === 'TO' && words.includes('RENAME'));
    if (isNaming) findListed(sql, statement, index + 1, word, add);
  });
}

/** `a.t, b.u`: each of the list. */
function findListed(sql: string, statement: SqlStatement, from: number, naming: string, add: Add): void {
  const { words, tokens } = statement;
  for (let at = skipWords(words, from, FILLERS); ; at++) {
    const database = words[at + 1] === '.' ? nameAt(sql, statement, at) : null;
    const isRead =
      (naming === 'FROM' || naming === 'JOIN' || naming === 'STRAIGHT_JOIN') && database !== null && CATALOGUES.has(database.toLowerCase());
    const isReadable = isRead && statement.words[0] !== 'DELETE';
    if (database !== null && !isReadable && words[at + 2] !== '*') {
      add('database', `${database}.${nameAt(sql, statement, at + 2) ?? '…'}`, tokens[at]?.start);
    }
    const comma = words[at + 1] === '.' ? at + 3 : at + 1;
    if (words[comma] !== ',' || (naming !== 'TABLE' && naming !== 'VIEW')) return;
    at = comma;
  }
}
