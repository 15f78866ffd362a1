import type { RunEvent } from '../events.js';
import type { Palette } from './palette.js';
import { sanitizeLine } from './sanitize.js';

type Located = Extract<RunEvent, { type: 'tenant.located' }>;

/** Where the one tenant of a run lives, and how to look inside. */
export function printLocated(event: Located, palette: Palette): readonly string[] {
  const home = event.driver === 'postgres-schema' ? 'schema' : 'database';
  const rows = [
    [home, `${event.name} on ${event.cluster}`],
    ['url', event.url],
    ['connect', event.connect],
    ...(event.note === undefined ? [] : [['', event.note]]),
  ] as const;
  return rows.map(([label, value]) => `  ${palette.dim(label.padEnd(8))}  ${sanitizeLine(value)}`);
}
