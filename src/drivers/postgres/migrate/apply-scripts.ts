import type { MigrateContext } from './context.js';
import { createScriptFailure, isStatementError } from './failure.js';
import { guardStop, isHistoryAbsent, rollBack, withGuard } from './guarded.js';
import { composeMessage, locateFailure, type MessageOptions, type ScriptMessage, type ScriptUnit } from './message.js';
import { sendMessage } from './send-message.js';

/** Larger messages are parted: the server holds a whole one in memory, several times over. */
const LARGEST_MESSAGE = 1_000_000;

export interface ApplyScriptsOptions {
  readonly tenant: string;
  readonly expectedDigest: string | null;
  /** The history is known to be empty, so its tables most likely have to be made. */
  readonly isFirst: boolean;
  /** Once for each unit that was committed, with the last row that its `record` gave. */
  readonly onCommit: (unit: ScriptUnit, row: readonly (string | null)[]) => void;
}

/** Carries out the units in order, each in its own transaction, in as few messages as their size allows. */
export async function applyScripts(context: MigrateContext, units: readonly ScriptUnit[], options: ApplyScriptsOptions): Promise<void> {
  let isFirst = true;
  for (let at = 0; at < units.length; ) {
    const batch = nextBatch(units, at);
    await applyBatch(context, batch, isFirst ? options : { ...options, expectedDigest: null, isFirst: false });
    at += batch.length;
    isFirst = false;
  }
}

function nextBatch(units: readonly ScriptUnit[], from: number): readonly ScriptUnit[] {
  let size = 0;
  let to = from;
  for (; to < units.length && (to === from || size < LARGEST_MESSAGE); to++) size += units[to]?.prepared.text.length ?? 0;
  return units.slice(from, to > from + 1 && size > LARGEST_MESSAGE ? to - 1 : to);
}

async function applyBatch(context: MigrateContext, batch: readonly ScriptUnit[], options: ApplyScriptsOptions): Promise<void> {
  let committed = 0;
  await withGuard(context, options.tenant, options.isFirst, ({ withSetUp }) => {
    const units = batch.slice(committed);
    // Another of our own transactions has come in between: the digest was that of the beginning.
    const expectedDigest = committed === 0 ? options.expectedDigest : null;
    return sendUnits(context, units, { withSetUp, expectedDigest }, options, () => committed++);
  });
}

async function sendUnits(
  context: MigrateContext,
  units: readonly ScriptUnit[],
  how: MessageOptions,
  options: ApplyScriptsOptions,
  countCommit: () => void,
): Promise<void> {
  if (units.length === 0) return;
  const message = composeMessage(context, units, how);
  const tags: string[] = [];
  let done = 0;
  let row: readonly (string | null)[] = [];
  try {
    await sendMessage(context.deps.client, message.text, {
      onRow: (values) => {
        row = values;
      },
      onTag: (tag) => {
        tags.push(tag);
        const unit = units[done];
        if (tag !== 'COMMIT' || !unit) return;
        done++;
        countCommit();
        options.onCommit(unit, row);
      },
    });
  } catch (error) {
    await recover(context, message, { error, tags }, (before) => sendUnits(context, before, how, options, countCommit), options.tenant);
  }
}

/** Ends with a throw, after whatever stood before the failed unit has been carried out all the same. */
async function recover(
  context: MigrateContext,
  message: ScriptMessage,
  { error, tags }: { readonly error: unknown; readonly tags: readonly string[] },
  applyBefore: (units: readonly ScriptUnit[]) => Promise<void>,
  tenant: string,
): Promise<never> {
  if (!isStatementError(error)) throw error;
  await rollBack(context);
  if (guardStop(error) !== null || isHistoryAbsent(error)) throw error;
  const units = message.units.map(({ unit }) => unit);
  const { index, statement, sentOffset, isOurs } = locateFailure(message, tags, error.position);
  if (isOurs) throw error;
  const failed = units[index ?? -1];
  // What the server can't read at all stops a message before any of it is run.
  if (tags.length === 0 && units.length > 1) await applyBefore(failed ? units.slice(0, index ?? 0) : units.slice(0, -1));
  const culprit = failed ?? units.at(-1);
  if (!culprit) throw error;
  const { prepared } = culprit;
  throw createScriptFailure({ tenant, migration: culprit.name, prepared, statement, sentOffset, limits: context.deps.options, error });
}
