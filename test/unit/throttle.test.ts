import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunEvent } from '../../src/events.js';
import { createThrottle } from '../../src/fleet/throttle.js';
import { createReporter } from '../../src/reporters/reporter.js';
import { until } from '../rig/gate.js';
import { TerminalScreen } from '../rig/terminal-screen.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A throttle that answers what the test says, and what came of it. */
function createScene(everyMs = 1_000) {
  const scene = { reason: null as string | null, asked: 0, told: [] as string[], admitted: 0 };
  const drain = new AbortController();
  const throttle = createThrottle({
    everyMs,
    signal: drain.signal,
    ask: async () => {
      scene.asked += 1;
      return scene.reason;
    },
    onHeld: (reason) => scene.told.push(`held: ${reason}`),
    whileHeld: () => scene.told.push('still'),
    onReleased: (ms) => scene.told.push(`released after ${ms}`),
  });
  const admit = (times: number): void => {
    for (let index = 0; index < times; index += 1) void throttle.admit().then(() => (scene.admitted += 1));
  };
  return { scene, drain, throttle, admit };
}

test('of many who wait one asks, and nobody asks again as long as the answer holds', async () => {
  const { scene, admit } = createScene();
  admit(50);
  await vi.advanceTimersByTimeAsync(999);
  admit(50);
  await vi.advanceTimersByTimeAsync(0);
  expect(scene).toMatchObject({ asked: 1, admitted: 100 });
  await vi.advanceTimersByTimeAsync(10);
  admit(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(scene).toMatchObject({ asked: 2, admitted: 101, told: [] });
});

test('holds all who wait, asks once in each interval, and lets all go at once', async () => {
  // Node's own timers, which the throttle sleeps by, aren't the test's.
  vi.useRealTimers();
  const { scene, throttle, admit } = createScene(20);
  scene.reason = 'busy';
  admit(8);
  await until(() => scene.asked === 3, 'the third question');
  expect(scene).toMatchObject({ admitted: 0, told: expect.arrayContaining(['held: busy', 'still']) });
  expect(scene.told.filter((line) => line.startsWith('held'))).toHaveLength(1);
  expect(throttle.isHeld).toBe(true);
  scene.reason = null;
  await until(() => scene.admitted === 8, 'all to be let go');
  expect(scene.told.at(-1)).toMatch(/^released after \d+$/);
  expect(throttle.isHeld).toBe(false);
});

test('lets everybody go, and asks nobody, once the run drains', async () => {
  const { scene, drain, throttle, admit } = createScene();
  scene.reason = 'busy';
  admit(3);
  await vi.advanceTimersByTimeAsync(100);
  drain.abort('interrupted');
  admit(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(scene).toMatchObject({ asked: 1, admitted: 4 });
  expect(throttle.isHeld).toBe(false);
});

test('which clusters are held, and why, is on the screen until they go on', async () => {
  const screen = new TerminalScreen(80, 20);
  const reporter = await createReporter({
    output: 'tty',
    stdout: screen,
    stderr: screen,
    isColorful: false,
    isQuiet: false,
    isVerbose: false,
    columns: () => 80,
    rows: () => 20,
  });
  const report = (event: RunEvent): void => reporter.report({ v: 1, at: new Date().toISOString(), run: 'r', ...event });
  const clusters = { main: { tenants: 5, cap: 2 }, eu: { tenants: 5, cap: 2 } };
  report({ type: 'run.started', command: 'migrate', selected: 10, upToDate: 0, target: '0009', concurrency: 4, clusters, dryRun: false });
  report({ type: 'cluster.held', cluster: 'eu', reason: 'replica b is 40 s behind' });
  await vi.advanceTimersByTimeAsync(200);
  expect(screen.text).toContain('held eu: replica b is 40 s behind');
  expect(screen.text).toContain('! eu is held: replica b is 40 s behind; starting no more tenants there until that is over');
  report({ type: 'cluster.released', cluster: 'eu', ms: 61_000 });
  await vi.advanceTimersByTimeAsync(200);
  expect(screen.text).not.toContain('held eu:');
  expect(screen.text).toContain('eu goes on after 1 min 1 s');
  await reporter.finish();
});
