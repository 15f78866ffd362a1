import type { SqlScript, SqlStatement } from '../../../migrations/sql/script.js';
import type { MigrateContext } from './context.js';

/** A script's settings are its own: the next one of the session starts as on a connection of its own. */
export async function restoreSettings({ connection, deps }: MigrateContext, { statements }: SqlScript): Promise<void> {
  const resets = [...new Set(statements.flatMap(resetsOf))];
  if (resets.length === 0 || connection.isBroken || deps.options.signal.aborted) return;
  for (const reset of resets) {
    // Some settings know no default; whatever stays goes with the connection's reset.
    await connection.send(reset).catch(() => undefined);
  }
  await connection.send(deps.settings);
}

/** Whether the script leaves settings that are to be undone before the next one. */
export function setsAny({ statements }: SqlScript): boolean {
  return statements.some((statement) => resetsOf(statement).length > 0);
}

/** `SET a = 1, @@session.b = 2, @c = 3` → what undoes it. NAMES and the like are among the settings that every session starts with. */
function resetsOf({ words }: SqlStatement): string[] {
  if (words[0] !== 'SET') return [];
  const resets: string[] = [];
  let depth = 0;
  words.forEach((word, at) => {
    if (word === '(') depth++;
    if (word === ')') depth--;
    const isAssigned = depth === 0 && (word === '=' || (word === ':' && words[at + 1] === '='));
    const name = words[at - 1] ?? '';
    if (!isAssigned || !/^[A-Z_][A-Z0-9_$]*$/.test(name) || !isTarget(words, at - 1)) return;
    const isUserVariable = words[at - 2] === '@' && words[at - 3] !== '@';
    resets.push(isUserVariable ? `SET @${name} = NULL` : `SET SESSION ${name} = DEFAULT`);
  });
  return resets;
}

/** The name that is set, and none that is compared: between it and SET or a comma only scopes stand. */
function isTarget(words: readonly string[], at: number): boolean {
  let before = at - 1;
  while (/^(?:@|\.|SESSION|LOCAL)$/.test(words[before] ?? '')) before--;
  return words[before] === 'SET' || words[before] === ',';
}
