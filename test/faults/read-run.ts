import type { StampedRunEvent } from '../../src/events.js';
import type { CliResult } from '../rig/cli.js';
import { assertEvents } from '../rig/events-schema.js';

type EventOf<Type extends StampedRunEvent['type']> = Extract<StampedRunEvent, { type: Type }>;

/** What a command with `--json` told, checked against the published schema. */
export interface ToldRun {
  readonly id: string;
  readonly events: readonly StampedRunEvent[];
  readonly finished: EventOf<'run.finished'>;
  of<Type extends StampedRunEvent['type']>(type: Type): EventOf<Type>[];
}

export function readRun({ stdout, stderr, exitCode }: Pick<CliResult, 'stdout' | 'stderr' | 'exitCode'>): ToldRun {
  if (stdout === '') throw new Error(`nothing was told, exit ${exitCode}:\n${stderr}`);
  const events = assertEvents(stdout);
  const finished = events.at(-1);
  if (finished?.type !== 'run.finished') throw new Error('the last event is another');
  if (finished.exitCode !== exitCode)
    throw new Error(`run.finished says ${finished.exitCode}, and the exit code is ${exitCode}:\n${stderr}`);
  return {
    id: finished.run ?? '',
    events,
    finished,
    of: <Type extends StampedRunEvent['type']>(type: Type) => events.filter((event): event is EventOf<Type> => event.type === type),
  };
}
