import type { RunEvent } from '../events.js';
import { formatShard } from '../util/shard.js';
import { formatSome } from './format.js';
import { sanitizeLine } from './sanitize.js';
import { describeCommand } from './words.js';

/** The line that says to what else than its selection a run keeps, if anything. */
export function printScope(event: Extract<RunEvent, { type: 'run.started' }>): readonly string[] {
  const scope = describeScope(event);
  return scope === null ? [] : [sanitizeLine(scope)];
}

/** To what else than its selection a run keeps, as a sentence; null where that is all. */
function describeScope({ command, failedIn, shard }: Extract<RunEvent, { type: 'run.started' }>): string | null {
  if (failedIn?.length === 0) return `nobody is selected: no run to ${describeCommand(command).verb} on record has failed a tenant`;
  const parts = [
    ...(failedIn === undefined ? [] : [`those that failed in ${formatSome(failedIn, failedIn.length, 5)}`]),
    ...(shard === undefined ? [] : [`shard ${formatShard(shard)}`]),
  ];
  return parts.length === 0 ? null : `only ${parts.join(', ')}`;
}
