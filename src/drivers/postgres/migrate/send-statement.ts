import { escapeIdentifier } from 'pg';
import { mayCommit } from '../../../migrations/sql/inspect.js';
import { offsetOfCodePoint } from '../../../migrations/sql/position.js';
import { isDirectConnection } from '../../../util/direct-connection.js';
import { applyScripts } from './apply-scripts.js';
import type { MigrateContext, PreparedScript } from './context.js';
import { createScriptFailure, isStatementError } from './failure.js';
import { dropInvalidIndex } from './probe-statement.js';
import { progressOf } from './progress.js';
import { sendMessage } from './send-message.js';
import { type StatementPlace, statementMark } from './statement-place.js';
import { readTarget } from './statement-target.js';
import { sendGuarded } from './transaction.js';
import { watchTransactions } from './watch-transactions.js';

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
  const isDirect = await isDirectConnection(context.deps.client);
  const { text, toPrepared } = isDirect ? plainText(place) : qualifiedText(context, place);
  const mark = `${statementMark(context, place)} `;
  if (isDirect) await sendMessage(deps.client, sessionSettings(context));
  const transactions = mayCommit(place.statement.words) ? await watchTransactions(context, isDirect) : null;
  try {
    // Within the limits too: it waits for whoever kept the index from being built.
    await dropInvalidIndex(context, place);
    await sendMessage(deps.client, mark + text);
  } catch (error) {
    if (!isStatementError(error)) throw error;
    const keepsWork = (await transactions?.haveEnded()) ?? false;
    if (isDirect) await sendMessage(deps.client, resetSettings(context));
    // What has kept a part of its work stays in doubt: nobody but its author knows whether it bears to be begun again.
    if (!keepsWork) await saveNotDone(context, place);
    const { tenant, migration, prepared, statement } = place;
    const sentOffset =
      error.position === undefined ? null : toPrepared(offsetOfCodePoint(mark + text, Number(error.position)) - mark.length);
    throw createScriptFailure({
      tenant,
      migration: migration.name,
      prepared,
      statement,
      sentOffset,
      keepsWork,
      limits: deps.options,
      error,
    });
  }
  if (isDirect) await sendMessage(deps.client, resetSettings(context));
}

async function saveNotDone(context: MigrateContext, place: StatementPlace): Promise<void> {
  const between = context.sql.progress.set(progressOf(place, place.index, 'between'));
  await sendGuarded(context, { tenant: place.tenant, expectedDigest: null, withSetUp: false, statements: [between], isCommitted: true });
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
