import { escapeIdentifier } from 'pg';
import { offsetOfCodePoint } from '../../../migrations/sql/position.js';
import { applyScripts } from './apply-scripts.js';
import type { MigrateContext, PreparedScript } from './context.js';
import { createScriptFailure, isStatementError } from './failure.js';
import { dropInvalidIndex } from './probe-statement.js';
import { readRows, sendMessage } from './send-message.js';
import { type StatementPlace, statementMark } from './statement-place.js';
import { readTarget } from './statement-target.js';
import { sendGuarded } from './transaction.js';

export const sendStatement = { within: sendWithin, alone: sendAlone };

/** In a guarded transaction, together with `save`. */
async function sendWithin(
  context: MigrateContext,
  place: StatementPlace,
  save: readonly string[],
  onRow: (values: readonly (string | null)[]) => void,
): Promise<void> {
  const { start, end } = sentRange(place);
  const prepared: PreparedScript = {
    ...place.prepared,
    text: place.prepared.text.slice(start, end),
    notes: [],
    statements: [place.statement],
    toSource: (offset) => place.prepared.toSource(offset + start),
  };
  await applyScripts(context, [{ name: place.migration.name, prepared, record: () => save.join(';'), checksFence: false }], {
    tenant: place.tenant,
    expectedDigest: null,
    isFirst: false,
    onCommit: (_, row) => onRow(row),
  });
}

/**
 * By itself. The settings can't be local then: on a direct connection they are set for the session and reset afterwards.
 * Behind a pooler they would reach other clients, so there they are left alone, and the name of the table or index gets its schema instead.
 */
async function sendAlone(context: MigrateContext, place: StatementPlace): Promise<void> {
  const { deps } = context;
  await dropInvalidIndex(context, place);
  const isDirect = await isDirectConnection(context);
  const { text, toPrepared } = isDirect ? plainText(place) : qualifiedText(context, place);
  const mark = `${statementMark(context, place)} `;
  if (isDirect) await sendMessage(deps.client, sessionSettings(context));
  try {
    await sendMessage(deps.client, mark + text);
  } catch (error) {
    if (!isStatementError(error)) throw error;
    if (isDirect) await sendMessage(deps.client, resetSettings(context));
    const { tenant, migration, prepared, statement, index } = place;
    const between = context.sql.progress.set({
      name: migration.name,
      checksum: migration.checksum,
      statementsDone: index,
      state: 'between',
    });
    await sendGuarded(context, { tenant, expectedDigest: null, withSetUp: false, statements: [between], isCommitted: true });
    const sentOffset =
      error.position === undefined ? null : toPrepared(offsetOfCodePoint(mark + text, Number(error.position)) - mark.length);
    throw createScriptFailure({ tenant, migration: migration.name, prepared, statement, sentOffset, error });
  }
  if (isDirect) await sendMessage(deps.client, resetSettings(context));
}

/** Where the statement is in the text that is sent: rewriting may have moved it. */
function sentRange({ prepared, statement }: StatementPlace): { start: number; end: number } {
  const find = (source: number): number => {
    let low = 0;
    let high = prepared.text.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (prepared.toSource(middle) < source) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return { start: find(statement.start), end: find(statement.end) };
}

interface LoneText {
  readonly text: string;
  /** From an offset in `text` to the one in the prepared script. */
  toPrepared(offset: number): number;
}

function plainText(place: StatementPlace): LoneText {
  const { start, end } = sentRange(place);
  return { text: place.prepared.text.slice(start, end), toPrepared: (offset) => offset + start };
}

function qualifiedText({ schema }: MigrateContext, place: StatementPlace): LoneText {
  const plain = plainText(place);
  const target = schema === null ? null : readTarget(place.prepared.source.sql, place.statement);
  if (target === null || schema === null || target.isQualified) return plain;
  const at = target.start - place.statement.start;
  const prefix = `${escapeIdentifier(schema)}.`;
  return {
    text: plain.text.slice(0, at) + prefix + plain.text.slice(at),
    toPrepared: (offset) => plain.toPrepared(offset <= at ? offset : Math.max(at, offset - prefix.length)),
  };
}

/** A pooler invents the process id that it tells its clients. */
async function isDirectConnection({ deps }: MigrateContext): Promise<boolean> {
  const [row] = await readRows(deps.client, 'SELECT pg_backend_pid()');
  return row?.[0] === String((deps.client as unknown as { readonly processID: number | null }).processID);
}

function sessionSettings({ sql }: MigrateContext): string {
  return localSettings(sql.begin)
    .map((setting) => setting.replace('SET LOCAL', 'SET'))
    .join(';');
}

function resetSettings({ sql }: MigrateContext): string {
  return localSettings(sql.begin)
    .map((setting) => `RESET ${setting.split(' ')[2] ?? ''}`)
    .join(';');
}

function localSettings(begin: readonly string[]): readonly string[] {
  return begin.filter((statement) => statement.startsWith('SET LOCAL '));
}
