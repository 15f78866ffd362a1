import type { SqlNote } from './inspect.js';
import type { SqlScript, SqlStatement } from './script.js';

/** What a script has to become for one kind of home. */
export interface RewriteTarget {
  /** The tenant's schema; null in a database of its own. */
  readonly schema: string | null;
  /** Where CREATE EXTENSION was carried out beforehand; null: it runs as it is written. */
  readonly extensionsSchema: string | null;
  /** `tenant`: what names `public` is meant for the tenant's schema. */
  readonly publicTo: 'tenant' | null;
  /** The script is one transaction: settings must not outlive it. */
  readonly isTransactional: boolean;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface RewrittenSql {
  readonly text: string;
  /** The statements of the script that are still there, in order. */
  readonly statements: readonly SqlStatement[];
  /** From an offset in `text` to the one in the script. */
  toSource(offset: number): number;
}

/** Line breaks stay where they are, so that a line number is the same before and after. */
export function rewriteForTenant(script: SqlScript, notes: readonly SqlNote[], target: RewriteTarget): RewrittenSql {
  const blanked = new Set<SqlStatement>();
  const edits: Edit[] = [];
  if (script.sql.startsWith('\uFEFF')) edits.push({ start: 0, end: 1, text: '' });
  for (const note of notes) {
    if ('statement' in note && isBlanked(note.type, target)) {
      if (!blanked.has(note.statement)) edits.push(blank(script.sql, note.statement));
      blanked.add(note.statement);
    } else if (note.type === 'public-name' && target.schema !== null && target.publicTo === 'tenant') {
      edits.push({ start: note.start, end: note.end, text: quoteName(target.schema, note.isInString) });
    } else if (note.type === 'session-setting' && target.isTransactional) {
      edits.push({ start: note.start, end: note.end, text: note.local });
    }
  }
  const kept = edits.filter(
    (edit) => ![...blanked].some(({ start, end }) => edit.start >= start && edit.end <= end && !(edit.start === start && edit.end === end)),
  );
  kept.sort((a, b) => a.start - b.start);
  return { ...applyEdits(script.sql, kept), statements: script.statements.filter((statement) => !blanked.has(statement)) };
}

function isBlanked(type: SqlNote['type'], { schema, extensionsSchema, publicTo }: RewriteTarget): boolean {
  if (schema === null) return false;
  if (type === 'extension' || type === 'extension-comment') return extensionsSchema !== null;
  return (type === 'search-path' || type === 'public-schema') && publicTo === 'tenant';
}

function blank(sql: string, { start, end }: SqlStatement): Edit {
  const breaks = sql.slice(start, end).match(/\r\n|\r|\n/g) ?? [];
  return { start, end, text: `/*${breaks.join('')}*/` };
}

function quoteName(name: string, isInString: boolean): string {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  return isInString ? quoted.replaceAll("'", "''") : quoted;
}

function applyEdits(sql: string, edits: readonly Edit[]): Pick<RewrittenSql, 'text' | 'toSource'> {
  if (edits.length === 0) return { text: sql, toSource: (offset) => offset };
  let text = '';
  let at = 0;
  const marks: { readonly end: number; readonly source: Edit }[] = [];
  for (const edit of edits) {
    text += sql.slice(at, edit.start) + edit.text;
    at = edit.end;
    marks.push({ end: text.length, source: edit });
  }
  text += sql.slice(at);
  const toSource = (offset: number): number => {
    let shift = 0;
    for (const { end, source } of marks) {
      if (offset >= end) shift = source.end - end;
      else return Math.min(offset + shift, Math.max(source.start, 0));
    }
    return offset + shift;
  };
  return { text, toSource };
}
