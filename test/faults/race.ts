import { expect } from 'vitest';
import type { Sandbox } from '../rig/sandbox.js';
import { readRun } from './read-run.js';
import type { SweptCommand } from './sweep.js';

const RACERS = 8;

/** Eight processes at once: one does it, the others find it done or locked. */
export async function race(sandbox: Sandbox, command: SweptCommand): Promise<void> {
  const results = await Promise.all(Array.from({ length: RACERS }, () => sandbox.run([...command.args, '--json'])));
  const runs = results.map((result) => readRun(result).finished);
  const told = JSON.stringify(runs, null, 1);
  expect(
    runs.filter(({ counts }) => counts.applied === 1),
    told,
  ).toHaveLength(1);
  for (const { exitCode, counts } of runs) {
    if (exitCode !== 5) expect({ exitCode, did: counts.applied + counts['up-to-date'] }, told).toEqual({ exitCode: 0, did: 1 });
  }
}
