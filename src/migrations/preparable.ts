import type { LocalMigration } from './migration.js';
import { inspectSqlScript } from './sql/check.js';

/**
 * Which migrations may be carried out ahead, in a home that is no tenant's yet. `definitions`: those that only say what there is
 * (tables, indexes, functions, rights). `sql`: every SQL file. `none`: none.
 */
export type Preparable = 'none' | 'definitions' | 'sql';

export interface PreparableOptions {
  readonly what: Preparable;
  /** The home is a schema, and is renamed when a tenant gets it. */
  readonly isSchema: boolean;
  readonly publicTo: 'tenant' | null;
}

/**
 * How many of the files, from the first on, may be carried out ahead of any tenant.
 *
 * Rows end it, since what writes them may look at the clock, at chance or at whose database it is (`now()` as the end of a trial, a secret of
 * `gen_random_uuid()`), also by a default or through a function: in copies of one home they would all be the same. As long as there are no
 * rows, nothing of the sort is evaluated. Modules end it, since they are told the tenant.
 */
export function countPreparable(local: readonly LocalMigration[], options: PreparableOptions): number {
  // Names of the schema are written into the files' text then, also within bodies of functions, and would not be renamed with it.
  if (options.what === 'none') return 0;
  if (options.isSchema && options.publicTo !== null) return 0;
  const end = local.findIndex((migration) => !isPreparable(migration, options));
  return end < 0 ? local.length : end;
}

function isPreparable({ up }: LocalMigration, { what, isSchema }: PreparableOptions): boolean {
  if (up.type !== 'sql') return false;
  const { script } = inspectSqlScript(up);
  if (script.unfinished !== null) return false;
  return script.statements.every(({ words }) => !(isSchema && keepsSchemaName(words)) && (what === 'sql' || isDefinition(words)));
}

/** `SET search_path FROM CURRENT` writes the schema's name down as a text. */
function keepsSchemaName(words: readonly string[]): boolean {
  return words.some((word, index) => word === 'FROM' && words[index + 1] === 'CURRENT');
}

/** They belong to the whole server, or to the database and not to what is in it: a copy would not have them. */
const ELSEWHERE: ReadonlySet<string> = new Set(['DATABASE', 'ROLE', 'GROUP', 'SUBSCRIPTION', 'TABLESPACE', 'SYSTEM']);

/** A statement that brings no row about, and nothing outside of the home. */
function isDefinition(words: readonly string[]): boolean {
  const [first, second, third] = words;
  switch (first) {
    case 'CREATE':
      return !isElsewhere(second, third) && !fillsRows(words);
    case 'ALTER':
    case 'DROP':
      return !isElsewhere(second, third);
    case 'COMMENT':
      return !isElsewhere(third, words[3]);
    case 'GRANT':
    case 'REVOKE': {
      // Without ON it is about membership in a role.
      const on = words.indexOf('ON');
      return on > 0 && !ELSEWHERE.has(words[on + 1] ?? '');
    }
    case 'SET':
    case 'RESET':
      return true;
    default:
      return false;
  }
}

function isElsewhere(kind = '', next = ''): boolean {
  return ELSEWHERE.has(kind) || (kind === 'USER' && next !== 'MAPPING');
}

/** CREATE TABLE … AS, CREATE MATERIALIZED VIEW. */
function fillsRows(words: readonly string[]): boolean {
  if (words.includes('MATERIALIZED')) return true;
  if (!words.slice(1, 5).includes('TABLE')) return false;
  return words.some((word, index) => {
    if (word !== 'AS') return false;
    const next = words.slice(index + 1).find((candidate) => candidate !== '(');
    return next === 'SELECT' || next === 'VALUES' || next === 'TABLE' || next === 'WITH' || next === 'EXECUTE';
  });
}
