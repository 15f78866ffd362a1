import { toJson } from '../keepable.js';

/** For a column that may be NULL. */
export function toJsonOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : toJson(value);
}

/** JSON comes as text: MariaDB has no other. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

/** The rows of `inputTable`. What is null is left out: what a JSON null becomes differs between the two servers, what isn't there is NULL in both. */
export function toInputRows(rows: readonly object[]): string {
  return toJson(rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))));
}

const TYPES = {
  id: 'VARCHAR(64) CHARACTER SET utf8mb4',
  text: 'LONGTEXT CHARACTER SET utf8mb4',
  int: 'BIGINT',
} as const;

/**
 * A batch as a table called `i`, out of the user variable `@input`, which holds an array of objects; `n` counts its rows from 1.
 * JSON within it comes as text, since MariaDB has no other.
 */
export function inputTable(columns: Readonly<Record<string, keyof typeof TYPES>>): string {
  const read = Object.entries(columns).map(([name, type]) => `${name} ${TYPES[type]} PATH '$.${name}'`);
  return `JSON_TABLE(@input, '$[*]' COLUMNS (n FOR ORDINALITY, ${read.join(', ')})) i`;
}

/** For `IN (?)`: a list must not be empty, and trailing blanks don't count in a comparison, so an id that has any is nobody's. */
export function listIds(ids: readonly string[]): readonly (string | null)[] {
  const possible = [...new Set(ids)].filter((id) => !id.endsWith(' '));
  return possible.length === 0 ? [null] : possible;
}
