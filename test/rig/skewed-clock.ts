import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from './cli.js';

const DEBIAN = '/usr/lib';

/** The library of Debian's `faketime`. */
export function findFaketime(): string | null {
  if (!existsSync(DEBIAN)) return null;
  const folders = readdirSync(DEBIAN).filter((name) => name.includes('-linux-'));
  return folders.map((name) => path.join(DEBIAN, name, 'faketime/libfaketime.so.1')).find((file) => existsSync(file)) ?? null;
}

/** How clocks are shifted here, in words. */
export const clockShifter: string = findFaketime() === null ? 'a Date of its own in the process' : "the system's clock, by libfaketime";

/** The environment of a command whose clock goes wrong by so many hours, with what is there; a clock that only measures is left alone. */
export function skewClock(hours: number): Record<string, string> {
  if (hours === 0) return {};
  const faketime = findFaketime();
  if (faketime !== null) return { LD_PRELOAD: faketime, FAKETIME: `${hours > 0 ? '+' : ''}${hours}h`, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  const shift = pathToFileURL(path.join(repositoryRoot, 'test/rig/tools/shift-clock.mjs')).href;
  return { NODE_OPTIONS: `--import=${shift}`, RIG_CLOCK_SHIFT_MS: String(hours * 3_600_000) };
}
