import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunEvent } from '../../src/events.js';
import { createReporter, type ReporterOptions } from '../../src/reporters/reporter.js';
import { fleetScene, type SceneEvent, singleScene } from '../rig/scene-events.js';
import { TerminalScreen } from '../rig/terminal-screen.js';

async function open(columns: number, rows: number, options: Partial<ReporterOptions> = {}) {
  const screen = new TerminalScreen(columns, rows);
  const reporter = await createReporter({
    output: 'tty',
    stdout: screen,
    stderr: screen,
    isColorful: true,
    isQuiet: false,
    isVerbose: false,
    columns: () => columns,
    rows: () => rows,
    ...options,
  });
  const report = (event: RunEvent): void => reporter.report({ v: 1, at: new Date().toISOString(), run: 'r_7k2m9x', ...event });
  return { screen, reporter, report };
}

/** Plays a scene by the clock of the test, and looks at the screen after each tenth of a second. */
async function play(
  scene: Iterable<SceneEvent>,
  { screen, reporter, report }: Awaited<ReturnType<typeof open>>,
  look: (screen: TerminalScreen) => void = () => {},
) {
  for (const { afterMs, event } of scene) {
    for (let left = afterMs; left > 0; left -= 100) {
      await vi.advanceTimersByTimeAsync(Math.min(100, left));
      if (event.type !== 'run.finished') look(screen);
    }
    report(event);
  }
  await reporter.finish();
}

/** Without colours. */
const bare = (text: string): string => text.replace(/\u001b\[\d+m/g, '');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('shows the steps of one tenant, and leaves them with their times', async () => {
  const terminal = await open(100, 30);
  await play(singleScene({ isBroken: false }), terminal);
  expect(bare(terminal.screen.text)).toMatchInlineSnapshot(`
    "provision acme on main
      ✔ register     12 ms
      ✔ create      184 ms
      ✔ migrate      1.2 s  8 migrations
      ✔ seed         95 ms
      ✔ verify        8 ms
      ✔ activate     11 ms

    ✔ acme provisioned to 0008_index_lines in 1.5 s
      schema    tenant_acme on main
      url       postgres://postgres@127.0.0.1:54329/postgres?options=-csearch_path%3Dtenant_acme
      connect   psql "postgres://postgres@127.0.0.1:54329/postgres?options=-csearch_path%3Dtenant_acme"
                the embedded server has stopped: \`npx tenancy embedded start\` brings it up
    "
  `);
});

test('tells steps that an earlier command had done, and those that were not reached', async () => {
  const again = await open(100, 30);
  await play(singleScene({ isBroken: false, isAgain: true }), again);
  expect(bare(again.screen.text)).toContain('  ✔ register  already done\n  ✔ create    already done\n  ✔ migrate ');
  const broken = await open(100, 30);
  await play(singleScene({ isBroken: true }), broken);
  expect(bare(broken.screen.text)).toContain('  ✖ migrate     950 ms\n  - seed      not reached\n');
  expect(bare(broken.screen.text)).toContain('✖ acme failed in migrate on main\n  migration 0007_backfill_totals, line 12');
});

test('shows a running step with the migration it has come to', async () => {
  const terminal = await open(100, 30);
  const seen = new Set<string>();
  await play(
    singleScene({ isBroken: false }),
    terminal,
    ({ text }) =>
      void bare(text)
        .split('\n')
        .map((line) => seen.add(line)),
  );
  expect([...seen].join('\n')).toMatch(/ {2}[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] migrate {2,}1\.\d s {2}7 done, 0007_backfill_totals/);
});

test('keeps a fleet on one screen that does not grow, and clears it for the summary', async () => {
  const terminal = await open(100, 30);
  const heights = new Set<number>();
  await play(fleetScene({ tenants: 400, failures: 40 }), terminal, ({ height }) => heights.add(height));
  expect(Math.max(...heights)).toBeLessThanOrEqual(30);
  const text = bare(terminal.screen.text);
  expect(text).toMatch(/^✖ 320 migrated, 40 up to date, 40 failed in /);
  expect(text).toContain('  and 20 more: tenancy run show r_7k2m9x');
  expect(text).toContain('→ to try just these again: tenancy run retry r_7k2m9x');
  expect(text).not.toContain('in flight');
});

test('shows counts, pace, tenants in flight and the last failures', async () => {
  const terminal = await open(80, 24);
  let middle = '';
  await play(fleetScene({ tenants: 400, failures: 40, concurrency: 4 }), terminal, ({ text }) => {
    if (text.includes('50%')) middle = bare(text);
  });
  expect(middle).toMatch(
    /^migrate to 0008_index_lines on main\n━+─+ {2}18\d of 360 {2}50%\n\d+ migrated, 40 up to date, \d+ failed\n\d+ s · \d+ a second · about \d+ s left\n\n/,
  );
  expect(middle.match(/^ {2}› \S+ +migrate/gm)?.length).toBeGreaterThanOrEqual(3);
  expect(middle.match(/^ {2}✖ \S+ +migration 0007_backfill_totals/gm)).toHaveLength(5);
});

test.each([
  [20, 5],
  [40, 10],
  [1, 1],
  [200, 60],
])('stays within a terminal of %i by %i', async (columns, rows) => {
  const terminal = await open(columns, rows);
  const { screen } = terminal;
  const limit = Math.max(2, rows);
  let highest = 0;
  await play(fleetScene({ tenants: 100, failures: 10, isHostile: true }), terminal, ({ height }) => {
    highest = Math.max(highest, height);
    if (columns > 2) expect(screen.tooWide).toBe(0);
  });
  expect(highest).toBeLessThanOrEqual(limit);
});

test('never hides the cursor, and lets no sequence of an id through', async () => {
  for (const scene of [fleetScene({ tenants: 60, failures: 20, isHostile: true }), singleScene({ isBroken: true })]) {
    const terminal = await open(80, 24);
    await play(scene, terminal);
    expect(terminal.screen.sent).not.toContain('\u001b[?25l');
  }
});

test('prints a Ctrl-C above the screen, where it stays', async () => {
  const terminal = await open(100, 24);
  await play(fleetScene({ tenants: 100, failures: 0, interruptAfter: 40 }), terminal);
  expect(bare(terminal.screen.text)).toMatch(
    /^! Ctrl-C: finishing 12 tenants in flight, starting no more \(50 left\); Ctrl-C again aborts them\n! 40 migrated/,
  );
});

test('stops painting when a run is broken off without an end', async () => {
  for (const scene of [fleetScene({ tenants: 50, failures: 0 }), singleScene({ isBroken: false })]) {
    const { screen, reporter, report } = await open(100, 24);
    for (const { event } of [...scene].slice(0, 6)) report(event);
    await vi.advanceTimersByTimeAsync(500);
    await reporter.finish();
    const { writes } = screen;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(screen.writes).toBe(writes);
  }
});

test('prints ten warnings and counts the others', async () => {
  const terminal = await open(100, 24);
  const [start, ...rest] = [...fleetScene({ tenants: 20, failures: 0 })];
  const warnings = Array.from(
    { length: 14 },
    (_, index): SceneEvent => ({
      afterMs: 0,
      event: { type: 'run.warned', code: 'TENANCY_TENANT_AHEAD', message: 'is ahead', tenant: `t${index}` },
    }),
  );
  await play([start as SceneEvent, ...warnings, ...rest], terminal);
  expect(terminal.screen.text.match(/is ahead/g)).toHaveLength(10);
  expect(terminal.screen.text).toContain('and 4 more warnings');
});

test('shows nothing with --quiet unless something fails', async () => {
  const fine = await open(100, 24, { isQuiet: true });
  await play(fleetScene({ tenants: 50, failures: 0 }), fine);
  expect(fine.screen.sent).toBe('');
  const broken = await open(100, 24, { isQuiet: true });
  await play(fleetScene({ tenants: 50, failures: 1 }), broken);
  expect(broken.screen.text).toContain('failed in migrate');
});

test('paints at most ten times a second, and takes ten thousand tenants in under two seconds of CPU', async () => {
  vi.useRealTimers();
  const { screen, reporter, report } = await open(100, 30);
  const events = [...fleetScene({ tenants: 10_000, failures: 500 })].map(({ event }) => event);
  const startedAtMs = performance.now();
  const before = process.cpuUsage();
  for (const [index, event] of events.entries()) {
    report(event);
    if (index % 200 === 0) await sleep(1);
  }
  await reporter.finish();
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(2);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const summary = 60;
  expect(screen.writes).toBeLessThan(seconds * 10 + summary);
});

test('shows which wave a fleet is in, and how long the soak after it still takes', async () => {
  const terminal = await open(100, 30, { isColorful: false });
  const { report, screen } = terminal;
  const counts = { applied: 1, 'up-to-date': 0, failed: 0, unverified: 0, unknown: 0, skipped: 0, cancelled: 0, 'not-started': 0 };
  const title = async (): Promise<string | undefined> => {
    await vi.advanceTimersByTimeAsync(200);
    return screen.text.split('\n').find((line) => line.startsWith('migrate'));
  };
  const clusters = { main: { tenants: 20, cap: 8 } };
  const started = { command: 'migrate', selected: 20, upToDate: 0, target: '0002_b', concurrency: 8, clusters, dryRun: false } as const;
  report({ type: 'run.started', ...started, waves: [1, 19] });
  report({ type: 'wave.started', wave: 1, waves: 2, tenants: 1 });
  expect(await title()).toBe('migrate to 0002_b on main · wave 1 of 2 (1 tenant)');
  report({ type: 'wave.finished', wave: 1, waves: 2, counts, ms: 100, soakMs: 60_000 });
  expect(await title()).toBe('migrate to 0002_b on main · wave 1 of 2 done, 1 min until the next');
  await vi.advanceTimersByTimeAsync(50_000);
  expect(await title()).toBe('migrate to 0002_b on main · wave 1 of 2 done, 10 s until the next');
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await title()).toBe('migrate to 0002_b on main · wave 1 of 2 done, asking the gate');
  report({ type: 'run.draining', reason: 'gate', inFlight: 0, notStarted: 19, wave: 1, detail: 'error rate 7%' });
  const stopped = { reason: 'gate', wave: 1, waves: 2, detail: 'error rate 7%', notStarted: 19 } as const;
  report({
    type: 'run.finished',
    command: 'migrate',
    counts: { ...counts, 'not-started': 19 },
    failed: [],
    ms: 66_000,
    exitCode: 4,
    stopped,
  });
  await terminal.reporter.finish();
  expect(screen.text).toContain('! 1 migrated, 19 not started in 1 min 6 s, stopped by the gate after wave 1 of 2: error rate 7%');
});
