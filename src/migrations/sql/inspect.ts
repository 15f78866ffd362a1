import { type ExtensionStatement, readExtension } from './extension.js';
import { findPublicNames, type PublicName } from './public-names.js';
import { findReach, type Reach } from './reach.js';
import type { SqlScript, SqlStatement } from './script.js';

/** Things in a script that matter to whoever runs it; in the order in which they stand there. */
export type SqlNote = { readonly offset: number } & (
  | { readonly type: 'transaction-control'; readonly word: string }
  | { readonly type: 'meta-command'; readonly word: string }
  | { readonly type: 'copy-stream' }
  /** The server refuses it within a transaction. */
  | { readonly type: 'outside-transaction'; readonly what: string; readonly statement: SqlStatement }
  | { readonly type: 'reach'; readonly reach: Reach }
  /** U&"…" UESCAPE '…': what it names can't be told here. */
  | { readonly type: 'custom-escape' }
  | { readonly type: 'search-path'; readonly statement: SqlStatement }
  | { readonly type: 'public-schema'; readonly statement: SqlStatement }
  | ({ readonly type: 'public-name' } & PublicName)
  | { readonly type: 'extension'; readonly statement: SqlStatement; readonly extension: ExtensionStatement }
  | { readonly type: 'extension-comment'; readonly statement: SqlStatement }
  | { readonly type: 'extension-change'; readonly statement: SqlStatement }
  /** Leaves something in the session; `cleanUp` ends it. */
  | {
      readonly type: 'session-state';
      readonly cleanUp:
        | 'RESET ROLE'
        | 'RESET SESSION AUTHORIZATION'
        | 'DISCARD TEMP'
        | 'DEALLOCATE ALL'
        | 'UNLISTEN *'
        | 'SELECT pg_advisory_unlock_all()';
    }
  | { readonly type: 'session-reset'; readonly word: string }
  /** Replacing the text from `start` to `end` confines a setting to the transaction. */
  | { readonly type: 'session-setting'; readonly start: number; readonly end: number; readonly local: string }
);

export function inspectScript(script: SqlScript): SqlNote[] {
  const notes = script.statements.flatMap((statement) => inspectStatement(script.sql, statement));
  return notes.sort((a, b) => a.offset - b.offset);
}

function inspectStatement(sql: string, statement: SqlStatement): SqlNote[] {
  const { words, tokens, start: offset } = statement;
  const notes: SqlNote[] = [];
  const control = transactionControl(words);
  if (control !== null) notes.push({ type: 'transaction-control', offset, word: control });
  const backslash = words.indexOf('\\');
  const meta = tokens[backslash];
  if (meta) notes.push({ type: 'meta-command', offset: meta.start, word: /^\S+/.exec(sql.slice(meta.start))?.[0] ?? '\\' });
  if (words[0] === 'COPY' && isCopyStream(words)) notes.push({ type: 'copy-stream', offset });
  for (const reach of findReach(sql, statement)) notes.push({ type: 'reach', offset: reach.start, reach });
  const escaped = tokens.find(({ type }, index) => type === 'quoted' && words[index + 1] === 'UESCAPE');
  if (escaped) notes.push({ type: 'custom-escape', offset: escaped.start });
  const outside = outsideTransaction(words);
  if (outside !== null) notes.push({ type: 'outside-transaction', offset, what: outside, statement });
  if (words[1] === 'EXTENSION') return [...notes, inspectExtension(sql, statement)];
  if (startsWith(words, 'COMMENT', 'ON', 'EXTENSION')) notes.push({ type: 'extension-comment', offset, statement });
  if (setsSearchPath(words)) notes.push({ type: 'search-path', offset, statement });
  else if (createsPublic(words)) notes.push({ type: 'public-schema', offset, statement });
  else notes.push(...findPublicNames(sql, statement).map((name) => ({ type: 'public-name' as const, offset: name.start, ...name })));
  notes.push(...inspectSetting(statement));
  // Within the body of a DO too, which is one token.
  if (/\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(/i.test(sql.slice(offset, statement.end)))
    notes.push({ type: 'session-state', offset, cleanUp: 'SELECT pg_advisory_unlock_all()' });
  return notes;
}

function startsWith(words: readonly string[], ...prefix: readonly string[]): boolean {
  return prefix.every((word, index) => words[index] === word);
}

function hasPair(words: readonly string[], first: string, second: string): boolean {
  return words.some((word, index) => word === first && words[index + 1] === second);
}

/** Savepoints stay within the transaction and are left alone. */
function transactionControl(words: readonly string[]): string | null {
  const [first, second] = words;
  switch (first) {
    case 'BEGIN':
    case 'COMMIT':
    case 'END':
    case 'ABORT':
      return first;
    case 'ROLLBACK':
      return words.slice(1, 3).includes('TO') ? null : first;
    case 'START':
    case 'PREPARE':
      return second === 'TRANSACTION' ? `${first} TRANSACTION` : null;
    default:
      return null;
  }
}

/** Between FROM or TO and STDIN or STDOUT nothing stands. */
function isCopyStream(words: readonly string[]): boolean {
  return hasPair(words, 'FROM', 'STDIN') || hasPair(words, 'TO', 'STDOUT');
}

/** Names the statement where the server runs it outside of a transaction only; from PreventInTransactionBlock's callers. */
export function outsideTransaction(words: readonly string[]): string | null {
  const [first, second] = words;
  const isConcurrent = words.includes('CONCURRENTLY');
  switch (first) {
    case 'CREATE':
      if (isConcurrent && words.slice(1, 4).includes('INDEX')) return 'CREATE INDEX CONCURRENTLY';
      if (second === 'SUBSCRIPTION') return hasPair(words, 'CREATE_SLOT', '=') ? null : 'CREATE SUBSCRIPTION';
      return second === 'DATABASE' || second === 'TABLESPACE' ? `CREATE ${second}` : null;
    case 'DROP':
      if (isConcurrent && second === 'INDEX') return 'DROP INDEX CONCURRENTLY';
      return second === 'DATABASE' || second === 'TABLESPACE' || second === 'SUBSCRIPTION' ? `DROP ${second}` : null;
    case 'REINDEX':
      if (isConcurrent) return 'REINDEX CONCURRENTLY';
      return words.slice(1).some((word) => word === 'DATABASE' || word === 'SYSTEM' || word === 'SCHEMA')
        ? 'REINDEX of more than one table'
        : null;
    case 'ALTER':
      if (second === 'SYSTEM') return 'ALTER SYSTEM';
      if (second === 'DATABASE' && hasPair(words, 'SET', 'TABLESPACE')) return 'ALTER DATABASE … SET TABLESPACE';
      return isConcurrent && words.includes('DETACH') ? 'DETACH PARTITION CONCURRENTLY' : null;
    case 'CLUSTER':
      return words.length === 1 || (words.length === 2 && second === 'VERBOSE') ? 'CLUSTER of every table' : null;
    case 'VACUUM':
      return first;
    default:
      return null;
  }
}

/** A procedure or block that may commit on its way, which the server allows where the statement is sent by itself. */
export function mayCommit([first]: readonly string[]): boolean {
  return first === 'CALL' || first === 'DO';
}

function inspectExtension(sql: string, statement: SqlStatement): SqlNote {
  const extension = readExtension(sql, statement);
  return extension === null
    ? { type: 'extension-change', offset: statement.start, statement }
    : { type: 'extension', offset: statement.start, statement, extension };
}

function setsSearchPath(words: readonly string[]): boolean {
  if (words[0] === 'SET') {
    const name = words[1] === 'LOCAL' || words[1] === 'SESSION' ? words[2] : words[1];
    return name === 'SEARCH_PATH' || name === '"search_path"' || name === 'SCHEMA';
  }
  return words.some((word, index) => word === 'SET_CONFIG' && words[index + 2]?.toLowerCase() === "'search_path'");
}

function createsPublic(words: readonly string[]): boolean {
  if (!startsWith(words, 'CREATE', 'SCHEMA')) return false;
  const name = startsWith(words.slice(2), 'IF', 'NOT', 'EXISTS') ? 5 : 2;
  return (words[name] === 'PUBLIC' || words[name] === '"public"') && words.length === name + 1;
}

function inspectSetting({ words, tokens, start: offset }: SqlStatement): SqlNote[] {
  const [first, second, third] = words;
  if ((first === 'RESET' && second === 'ALL') || first === 'DISCARD')
    return [{ type: 'session-reset', offset, word: `${first} ${second ?? ''}`.trim() }];
  if (createsTemporary(words)) return [{ type: 'session-state', offset, cleanUp: 'DISCARD TEMP' }];
  if (first === 'PREPARE' && second !== 'TRANSACTION') return [{ type: 'session-state', offset, cleanUp: 'DEALLOCATE ALL' }];
  if (first === 'LISTEN') return [{ type: 'session-state', offset, cleanUp: 'UNLISTEN *' }];
  if (first !== 'SET') {
    return tokens.flatMap((token, index) => {
      const isSession = words[index] === 'FALSE' && words[index - 6] === 'SET_CONFIG' && words[index + 1] === ')';
      return isSession
        ? [{ type: 'session-setting' as const, offset: token.start, start: token.start, end: token.end, local: 'true' }]
        : [];
    });
  }
  const notes: SqlNote[] = [];
  if (words.slice(1, 3).includes('ROLE')) notes.push({ type: 'session-state', offset, cleanUp: 'RESET ROLE' });
  if (words.slice(1, 4).includes('AUTHORIZATION')) notes.push({ type: 'session-state', offset, cleanUp: 'RESET SESSION AUTHORIZATION' });
  const isScoped = second === 'LOCAL' || second === 'CONSTRAINTS' || second === 'TRANSACTION' || third === 'CHARACTERISTICS';
  const named = tokens[1];
  if (isScoped || !named) return notes;
  const isSession = second === 'SESSION' && third !== 'AUTHORIZATION';
  notes.push({
    type: 'session-setting',
    offset,
    start: named.start,
    end: isSession ? named.end : named.start,
    local: isSession ? 'LOCAL' : 'LOCAL ',
  });
  return notes;
}

function createsTemporary(words: readonly string[]): boolean {
  const at = words.findIndex((word) => word === 'TEMP' || word === 'TEMPORARY');
  return at > 0 && (words[0] === 'CREATE' ? at <= 4 : words[at - 1] === 'INTO');
}
