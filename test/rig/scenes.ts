/**
 * Plays a made-up run through a reporter, so that its output can be looked at:
 * `node --import jiti/register test/rig/scenes.ts <scene> [--output tty|plain|json] [--speed N] [--verbose] [--quiet]`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createReporter, type OutputMode } from '../../src/reporters/reporter.js';
import { fleetScene, planScene, refusalScene, type SceneEvent, singleScene } from './scene-events.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string', default: 'tty' },
    speed: { type: 'string', default: '1' },
    tenants: { type: 'string', default: '500' },
    'no-color': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});

const tenants = Number(values.tenants);
const scenes: Record<string, () => Iterable<SceneEvent>> = {
  single: () => singleScene({ isBroken: false }),
  'single-again': () => singleScene({ isBroken: false, isAgain: true }),
  'single-failed': () => singleScene({ isBroken: true }),
  fleet: () => fleetScene({ tenants, failures: 7 }),
  'fleet-ok': () => fleetScene({ tenants, failures: 0 }),
  'fleet-bad': () => fleetScene({ tenants, failures: Math.floor(tenants / 2) }),
  'fleet-hostile': () => fleetScene({ tenants, failures: 30, isHostile: true }),
  'fleet-interrupted': () => fleetScene({ tenants, failures: 2, interruptAfter: Math.floor(tenants / 2) }),
  plan: () => planScene({ tenants }),
  refusal: () => refusalScene(),
};
const scene = scenes[positionals[0] ?? 'single'];
if (scene === undefined) throw new Error(`scenes: ${Object.keys(scenes).join(', ')}`);

const reporter = await createReporter({
  output: values.output as OutputMode,
  stdout: process.stdout,
  stderr: process.stderr,
  isColorful: !values['no-color'],
  isQuiet: values.quiet,
  isVerbose: values.verbose,
  columns: () => process.stderr.columns ?? 80,
  rows: () => process.stderr.rows ?? 24,
});
const speed = Number(values.speed);
let debtMs = 0;
for (const { afterMs, event } of scene()) {
  debtMs += afterMs / speed;
  if (debtMs >= 5) {
    await sleep(debtMs);
    debtMs = 0;
  }
  reporter.report({
    v: 1,
    at: new Date().toISOString(),
    run: event.type === 'run.finished' && event.command === null ? null : 'r_7k2m9x',
    ...event,
  });
}
await reporter.finish();
