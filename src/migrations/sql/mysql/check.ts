import { TenancyError } from '../../../errors.js';
import type { SqlMigrationScript } from '../check.js';
import { positionAt } from '../position.js';
import type { SqlScript, SqlStatement } from '../script.js';
import { findHandedOn } from './handed-on.js';
import { findReach, type Reach } from './reach.js';
import { parseMysqlScript } from './script.js';

/** One file is carried out in many tenants, and need not be read anew for each. */
const parsed = new WeakMap<SqlMigrationScript, SqlScript>();

export function inspectMysqlScript(source: SqlMigrationScript): SqlScript {
  const script = parsed.get(source) ?? parseMysqlScript(source.sql);
  parsed.set(source, script);
  return script;
}

interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * Refuses what must not be sent, before anything is.
 * @throws TenancyError `TENANCY_MIGRATION_TRANSACTION_REFUSED`, `…_COMMAND_REFUSED`, `…_SCHEMA_REFUSED`, `…_UNFINISHED`, naming file and line
 * of the first of them.
 */
export function checkMysqlScript(source: SqlMigrationScript): void {
  const script = inspectMysqlScript(source);
  const place = (offset: number): Place => ({ file: source.file, line: positionAt(source.sql, offset).line });
  const { unfinished } = script;
  for (const statement of script.statements) {
    if (unfinished && statement.start > unfinished.offset) break;
    refuseTransaction(statement, place);
    refuseCommand(source.sql, statement, place);
    for (const reach of [...findReach(source.sql, statement), ...findHandedOn(source.sql, statement)])
      refuseReach(reach, place(reach.offset));
  }
  if (unfinished) throw new TenancyError('TENANCY_MIGRATION_UNFINISHED', { ...place(unfinished.offset), what: unfinished.what });
}

function refuseTransaction({ words, start }: SqlStatement, place: (offset: number) => Place): void {
  const word = transactionControl(words);
  if (word === null) return;
  const advice =
    'take it out: statements that change rows and follow on each other are one transaction already, and every other one commits';
  throw new TenancyError('TENANCY_MIGRATION_TRANSACTION_REFUSED', { ...place(start), word, advice });
}

/** Also of what modules send. Savepoints stay within the transaction and are left alone. */
export function transactionControl(words: readonly string[]): string | null {
  const [first = '', second = ''] = words;
  switch (first) {
    case 'START':
      return second === 'TRANSACTION' ? 'START TRANSACTION' : null;
    case 'BEGIN':
      return second === 'NOT' ? null : first;
    case 'COMMIT':
    case 'XA':
      return first;
    case 'ROLLBACK':
      return words.slice(1, 3).includes('TO') ? null : first;
    case 'SET': {
      const setting = words.find((word, at) => /^(AUTOCOMMIT|COMPLETION_TYPE)$/.test(word) && /^(:?=|:)$/.test(words[at + 1] ?? ''));
      return setting === undefined ? null : `SET ${setting.toLowerCase()}`;
    }
    default:
      return null;
  }
}

const CLIENT_COMMANDS = new Set([
  'SOURCE',
  'SYSTEM',
  'TEE',
  'NOTEE',
  'PAGER',
  'NOPAGER',
  'CONNECT',
  'PROMPT',
  'REHASH',
  'STATUS',
  'EDIT',
  'EGO',
  'GO',
  'PRINT',
  'DELIMITER',
]);

function refuseCommand(sql: string, { words, tokens, start }: SqlStatement, place: (offset: number) => Place): void {
  const refuse = (what: string, instead: string, offset: number = start): never => {
    throw new TenancyError('TENANCY_MIGRATION_COMMAND_REFUSED', { ...place(offset), what, instead });
  };
  const [first = '', second = ''] = words;
  const backslash = tokens[words.indexOf('\\')];
  if (backslash) {
    const word = /^\S+/.exec(sql.slice(backslash.start))?.[0] ?? '\\';
    refuse(`${word} is a command of the mysql client and`, 'take it out, or say the same in SQL', backslash.start);
  }
  if (CLIENT_COMMANDS.has(first))
    refuse(`${first.toLowerCase()} is a command of the mysql client and`, 'take it out, or say the same in SQL');
  if (first === 'LOAD' && words.includes('LOCAL'))
    refuse('LOAD … LOCAL, which reads a file of this machine,', 'write INSERT … VALUES instead');
  if ((first === 'LOCK' && /^TABLES?$/.test(second)) || (first === 'UNLOCK' && /^TABLES?$/.test(second)))
    refuse(
      `${first} TABLES, under which nothing else can be written, the history of the migrations neither,`,
      'take it out (mysqldump --skip-add-locks)',
    );
  if (
    first === 'SET' &&
    words.includes('SQL_MODE') &&
    words.some((word) => /ANSI|NO_BACKSLASH_ESCAPES|ORACLE|MSSQL|DB2|MAXDB|POSTGRESQL|^[1-9]\d*$/i.test(word))
  )
    refuse(
      'an sql_mode that changes what quotation marks and backslashes mean',
      'write names in backticks and strings in quotes, and leave the mode as it is',
    );
  if (
    first === 'SET' &&
    words.some((word) => /^(?:NAMES|CHARSET|CHARACTER|CHARACTER_SET_CLIENT)$/.test(word)) &&
    words.some((word) => OTHER_ENDS.test(word))
  )
    refuse('a character set in which strings may end elsewhere', 'take it out: files are read, and sent, as UTF-8');
}

/** In these a backslash or a quote may be the second half of a character, and the server would find other ends of strings than we do. */
const OTHER_ENDS = /^['"`]?(?:big5|cp932|gb18030|gbk|sjis)\b/i;

function refuseReach({ what, beyond }: Reach, place: Place): never {
  const advice = {
    database: "leave the database out: each statement is run in the tenant's own",
    server: 'take it out; what concerns more than one tenant is done once, by hand, outside of their migrations',
    history: 'take it out: it holds the history of the migrations themselves',
  };
  throw new TenancyError('TENANCY_MIGRATION_SCHEMA_REFUSED', { ...place, what, advice: advice[beyond] });
}
