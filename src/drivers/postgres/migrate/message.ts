import { offsetOfCodePoint } from '../../../migrations/sql/position.js';
import type { SqlStatement } from '../../../migrations/sql/script.js';
import type { MigrateContext, PreparedScript } from './context.js';

/** One script to be carried out in a transaction of its own, with what it means for the history. */
export interface ScriptUnit {
  readonly name: string;
  readonly prepared: PreparedScript;
  /** Run after the script in its transaction: the change of the history. Its last row is reported with the commit. @param nth of the message, from 1 */
  record(nth: number): string;
  /** Whether `record` fails by itself where the fence is behind. */
  readonly checksFence: boolean;
}

export interface MessageOptions {
  /** Before the first unit's guard. */
  readonly withSetUp: boolean;
  /** Checked under the lock, before the first unit. */
  readonly expectedDigest: string | null;
}

/** The text of one message, and where everything is in it. */
export interface ScriptMessage {
  readonly text: string;
  readonly units: readonly PlacedUnit[];
}

interface PlacedUnit {
  readonly unit: ScriptUnit;
  /** UTF-16 offset of the script in the message. */
  readonly offset: number;
  /** How many statements precede those of the script in its transaction. */
  readonly prelude: number;
}

/**
 * ```
 * BEGIN; SET LOCAL …; guard; <script>; record; COMMIT;   BEGIN; …; COMMIT;   …
 * ```
 */
export function composeMessage(
  { sql }: MigrateContext,
  units: readonly ScriptUnit[],
  { withSetUp, expectedDigest }: MessageOptions,
): ScriptMessage {
  let text = '';
  const placed = units.map((unit, index): PlacedUnit => {
    const prelude = [
      ...sql.begin,
      ...(index > 0 && unit.checksFence ? [sql.lockGuard] : index === 0 && withSetUp ? sql.guardWithSetUp : sql.guard),
      ...(index === 0 && expectedDigest !== null ? [sql.checkDigest(expectedDigest)] : []),
    ];
    text += `${prelude.join(';')};\n`;
    const offset = text.length;
    // The line break ends a comment that the script may end with.
    text += `${unit.prepared.text}\n;${[...cleanUps(unit.prepared), unit.record(index + 1), 'COMMIT'].join(';')};\n`;
    return { unit, offset, prelude: prelude.length };
  });
  return { text, units: placed };
}

function cleanUps({ notes }: PreparedScript): Set<string> {
  return new Set(notes.flatMap((note) => (note.type === 'session-state' ? [note.cleanUp] : [])));
}

export interface FailedPlace {
  /** Which unit failed; null where it can't be told. */
  readonly index: number | null;
  readonly statement: SqlStatement | null;
  /** UTF-16 offset into the unit's text. */
  readonly sentOffset: number | null;
  /** It failed before its script was reached, so the script is not to blame. */
  readonly isOurs: boolean;
}

/**
 * Where a message failed: the server counts `position` from 1, in code points, over the whole message, and gives none for
 * what goes wrong while a statement runs; then the statements that had completed tell which one it was.
 */
export function locateFailure(message: ScriptMessage, tags: readonly string[], position: string | undefined): FailedPlace {
  const offset = position === undefined ? null : offsetOfCodePoint(message.text, Number(position));
  const committed = tags.filter((tag) => tag === 'COMMIT').length;
  const index = tags.length > 0 ? committed : offset === null ? null : message.units.findLastIndex((unit) => unit.offset <= offset);
  const placed = message.units[index ?? -1];
  if (index === null || !placed) return { index: null, statement: null, sentOffset: null, isOurs: false };
  const { prepared } = placed.unit;
  const within = offset === null ? -1 : offset - placed.offset;
  // What ends too early is noticed at our own semicolon, two characters behind the script.
  const sentOffset = within >= 0 && within <= prepared.text.length + 2 ? Math.min(within, prepared.text.length) : null;
  const done = tags.length === 0 ? null : tags.length - tags.lastIndexOf('COMMIT') - 1 - placed.prelude;
  const statement = (done === null ? undefined : prepared.statements[done]) ?? null;
  return { index, statement, sentOffset, isOurs: done !== null && done < 0 };
}
