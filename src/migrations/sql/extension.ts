import type { SqlStatement } from './script.js';
import { unquoteName } from './words.js';

/** A CREATE EXTENSION, taken apart. */
export interface ExtensionStatement {
  readonly name: string;
  /** As it is written: a name or a string. */
  readonly version: string | null;
  readonly isCascading: boolean;
}

/** Null where the statement is another one about extensions (ALTER, DROP). */
export function readExtension(sql: string, { words, tokens }: SqlStatement): ExtensionStatement | null {
  if (words[0] !== 'CREATE' || words[1] !== 'EXTENSION') return null;
  const at = words[2] === 'IF' ? 5 : 2;
  const token = tokens[at];
  if (!token) return null;
  const options = words.slice(at + 1);
  const versionAt = options.indexOf('VERSION');
  const version = versionAt < 0 ? undefined : tokens[at + 2 + versionAt];
  return {
    name: unquoteName(sql.slice(token.start, token.end)),
    version: version === undefined ? null : sql.slice(version.start, version.end),
    isCascading: options.includes('CASCADE'),
  };
}
