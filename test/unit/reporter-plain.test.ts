import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunEvent } from '../../src/events.js';
import type { OutcomeError, TenantOutcome } from '../../src/outcome.js';
import { createPlainReporter, type PlainReporterOptions } from '../../src/reporters/plain.js';
import { fleetScene, planScene, refusalScene, type SceneEvent, singleScene, wholePlanScene } from '../rig/scene-events.js';

class Sink extends Writable {
  private text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  /** What was written since the last look. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }
}

function open(options: Partial<PlainReporterOptions> = {}) {
  const stdout = new Sink();
  const stderr = new Sink();
  const reporter = createPlainReporter({
    output: 'plain',
    stdout,
    stderr,
    isColorful: false,
    isQuiet: false,
    isVerbose: false,
    ...options,
  });
  const report = (event: RunEvent): void => reporter.report({ v: 1, at: '2026-01-02T03:04:05.678Z', run: 'r_7k2m9x', ...event });
  return { reporter, report, readOut: () => stdout.take(), readErr: () => stderr.take() };
}

async function play(scene: Iterable<SceneEvent>, options: Partial<PlainReporterOptions> = {}) {
  const { reporter, report, readOut, readErr } = open(options);
  for (const { event } of scene) report(event);
  await reporter.finish();
  return { out: readOut(), err: readErr() };
}

test('says of one tenant what was done, how long each step took, and, on stdout, where it lives', async () => {
  const { out, err } = await play(singleScene({ isBroken: false }));
  expect(out).toMatchInlineSnapshot(`
    "✔ acme provisioned to 0008_index_lines in 1.5 s
      schema    tenant_acme on main
      url       postgres://postgres@127.0.0.1:54329/postgres?options=-csearch_path%3Dtenant_acme
      connect   psql "postgres://postgres@127.0.0.1:54329/postgres?options=-csearch_path%3Dtenant_acme"
                the embedded server has stopped: \`npx tenancy embedded start\` brings it up
    "
  `);
  expect(err).toMatchInlineSnapshot(`
    "provision 1 tenant on main to 0008_index_lines
      acme: register done in 12 ms
      acme: create done in 184 ms
      acme: migrate done in 1.2 s (8 migrations)
      acme: seed done in 95 ms
      acme: verify done in 8 ms
      acme: activate done in 11 ms
    "
  `);
});

test('says of one tenant that failed why, and what to type next', async () => {
  const { out, err } = await play(singleScene({ isBroken: true }));
  expect(out).toBe('');
  expect(err).toMatchInlineSnapshot(`
    "provision 1 tenant on main to 0008_index_lines
      acme: register done in 12 ms
      acme: create done in 184 ms
      acme: migrate failed after 950 ms
    ✖ acme failed in migrate on main
      migration 0007_backfill_totals, line 12, column 34: column "amount_cents" does not exist
      UPDATE invoices SET total = (SELECT sum(amount_cents) FROM invoice_lines)
      TENANCY_MIGRATION_FAILED  log .tenancy/logs/acme.log

    → mend migrations/tenant/0007_backfill_totals.sql, then run \`tenancy tenant migrate acme\`
    "
  `);
});

test('gives a fleet a line for each tenant that had work, and names the failures at the end', async () => {
  const { out, err } = await play(fleetScene({ tenants: 10, failures: 2, concurrency: 2 }));
  expect(out).toBe('✖ 7 migrated, 1 up to date, 2 failed in 1.1 s\n');
  expect(err).toMatchInlineSnapshot(`
    "migrate 10 tenants on main to 0008_index_lines, 1 up to date, 2 at once
    1/9 ✔ acme-0: migrated, 0006_audit → 0008_index_lines in 180 ms
    2/9 ✔ globex-1: migrated, 0006_audit → 0008_index_lines in 181 ms
    3/9 ✔ initech-2: migrated, 0006_audit → 0008_index_lines in 182 ms
    4/9 ✖ umbrella-3: failed in migrate: migration 0007_backfill_totals, line 12, column 34: column "amount_cents" does not exist
    5/9 ✔ hooli-4: migrated, 0006_audit → 0008_index_lines in 184 ms
    6/9 ✔ stark-5: migrated, 0006_audit → 0008_index_lines in 185 ms
    7/9 ✔ wayne-6: migrated, 0006_audit → 0008_index_lines in 186 ms
    8/9 ✖ acme-7: failed in migrate: migration 0007_backfill_totals, line 12, column 34: column "amount_cents" does not exist
    9/9 ✔ globex-8: migrated, 0006_audit → 0008_index_lines in 188 ms

    ✖ 2 tenants failed in migrate
      migration 0007_backfill_totals, line 12, column 34: column "amount_cents" does not exist
      UPDATE invoices SET total = (SELECT sum(amount_cents) FROM invoice_lines)
      TENANCY_MIGRATION_FAILED
        umbrella-3  .tenancy/logs/umbrella-3.log
        acme-7      .tenancy/logs/acme-7.log

    → to try just these again: tenancy run retry r_7k2m9x
    "
  `);
});

test('names at most twenty failures, and says where the others are', async () => {
  const { err } = await play(fleetScene({ tenants: 200, failures: 45 }));
  expect(err.match(/^ {4}\S+ +\.tenancy\/logs/gm)).toHaveLength(20);
  expect(err).toContain('✖ 45 tenants failed in migrate\n');
  expect(err).toContain('  and 25 more: tenancy run show r_7k2m9x\n');
});

test('shows every kind of failure, also where one kind has many tenants', async () => {
  const events = [...fleetScene({ tenants: 200, failures: 45 })].map(({ event }) => event);
  const end = events.at(-1) as Extract<RunEvent, { type: 'run.finished' }>;
  const last = end.failed.at(-1) as TenantOutcome;
  const odd = { ...last, tenant: 'odd', error: { ...(last.error as OutcomeError), message: 'odd: the disk is full' } };
  const { err } = await play([{ afterMs: 0, event: { ...end, failed: [...end.failed, odd] } }]);
  expect(err).toContain('✖ odd failed in migrate on main\n  the disk is full\n');
  expect(err).toContain('✖ 45 tenants failed in migrate\n');
  expect(err).toContain('  and 35 more: tenancy run show r_7k2m9x\n');
});

test('tells after a Ctrl-C what was not started', async () => {
  const { out, err } = await play(fleetScene({ tenants: 40, failures: 0, interruptAfter: 12, concurrency: 3 }));
  expect(out).toMatch(/^! 12 migrated, 4 up to date, 24 not started in /);
  expect(err).toContain('! Ctrl-C: finishing 3 tenants in flight, starting no more (24 left); Ctrl-C again aborts them\n');
  expect(err).toContain('→ to finish the 24 tenants left: tenancy run retry r_7k2m9x\n');
});

test('prints a dry run as one plan for each group of tenants, on stdout', async () => {
  const { out, err } = await play(planScene({ tenants: 500 }));
  expect(err).toBe('');
  expect(out).toMatchInlineSnapshot(`
    "would migrate 460 tenants, 40 up to date; nothing was written

    tenant-1, tenant-2, tenant-3 and 375 more  0006_audit → 0008_index_lines, 2 migrations
      0007_backfill_totals
      0008_index_lines

    tenant-7, tenant-14, tenant-21 and 60 more  0004_invoices → 0008_index_lines, 4 migrations
      0005_invoice_lines
      0006_audit
      0007_backfill_totals
      0008_index_lines

    tenant-0, tenant-25, tenant-50 and 16 more  0002_members → 0008_index_lines, 6 migrations
      0003_projects
      0004_invoices
      0005_invoice_lines
      0006_audit
      0007_backfill_totals
      0008_index_lines
    "
  `);
});

test('prints a large plan by its counts, with the time that earlier runs tell, and each tenant only with --verbose', async () => {
  const { out } = await play(wholePlanScene());
  expect(out).toMatchInlineSnapshot(`
    "would migrate 9,991 tenants, 10 up to date; nothing was written

      0006_audit        9,990
      0008_index_lines     10  up to date
      nothing               1

    9,990 tenants  0006_audit → 0008_index_lines, 2 migrations
      8,000 on eu, 1,990 on us
      0007_backfill_totals
      0008_index_lines

    stray  nothing → 0008_index_lines, 8 migrations
      0001_accounts
      0002_members
      0003_projects
      0004_invoices
      0005_invoice_lines
      0006_audit
      0007_backfill_totals
      0008_index_lines

    about 2 min, going by 2,000 tenants of the last 2 runs
      eu: about 2 min (8,001 tenants, 8 at once, 120 ms each)
      us: about 47.3 s (1,990 tenants, 4 at once, 95 ms each)

    ✔ saved as /srv/deploy/plan.json: carry it out with --plan
    "
  `);
  const verbose = await play(planScene({ tenants: 43 }), { isVerbose: true });
  expect(verbose.out.split('\n').filter((line) => line.includes(': migrate, '))).toHaveLength(3);
});

test('words a refusal with its hint', async () => {
  const { out, err } = await play(refusalScene());
  expect(out).toBe('');
  expect(err).toMatchInlineSnapshot(`
    "✖ there is no tenancy registry at postgres://db.internal/app
      → check registry.url; \`tenancy registry init\` or the first \`tenancy tenant provision\` creates one
    "
  `);
});

test('is silent with --quiet but for what failed', async () => {
  expect(await play(fleetScene({ tenants: 30, failures: 0 }), { isQuiet: true })).toEqual({ out: '', err: '' });
  const { out, err } = await play(fleetScene({ tenants: 30, failures: 1 }), { isQuiet: true });
  expect(out).toBe('');
  expect(err).not.toContain('✔');
  expect(err).toContain('tenancy run retry');
});

test('lets no control character of an id or a message through', async () => {
  const { out, err } = await play(fleetScene({ tenants: 60, failures: 20, isHostile: true }));
  expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

describe('in a run that takes long', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('gives a sign of life every ten seconds in which nothing else was said', async () => {
    const { reporter, report, readErr } = open();
    const events = [...fleetScene({ tenants: 20, failures: 0, concurrency: 4 })].map(({ event }) => event);
    const first = events.findIndex(({ type }) => type === 'tenant.finished') + 1;
    const second = events.findIndex(({ type }, index) => index >= first && type === 'tenant.finished') + 1;
    for (const event of events.slice(0, first)) report(event);
    readErr();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(readErr()).toBe('');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(readErr()).toMatch(/^… 1 of 18 done, 3 in flight, 10\.\d s, about 2 min 5\d s left\n$/);
    for (const event of events.slice(first, second)) report(event);
    readErr();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(readErr()).toBe('');
    for (const event of events.slice(second)) report(event);
    readErr();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(readErr()).toBe('');
    await reporter.finish();
  });

  test('says of one tenant which step it is at, and before the first that it waits', async () => {
    const { reporter, report, readErr } = open();
    const events = [...singleScene({ isBroken: false })].map(({ event }) => event);
    const started = events.findIndex(({ type }) => type === 'tenant.started');
    for (const event of events.slice(0, started)) report(event);
    readErr();
    await vi.advanceTimersByTimeAsync(11_000);
    expect(readErr()).toMatch(/^… waiting for its turn, 1\d(\.\d)? s\n$/);
    const step = events.findIndex(({ type }) => type === 'step.started') + 1;
    for (const event of events.slice(started, step)) report(event);
    readErr();
    await vi.advanceTimersByTimeAsync(11_000);
    expect(readErr()).toMatch(/^… acme: register, /);
    await reporter.finish();
  });
});

test.each([
  [false, 20],
  [true, 250],
])('of warnings that are all alike a fleet gets some, and how many more there are (verbose: %s)', async (isVerbose, told) => {
  const { reporter, report, readErr } = open({ isVerbose });
  for (let index = 0; index < 250; index += 1) report({ type: 'run.warned', code: 'TENANCY_TENANT_AHEAD', message: `t${index} is ahead` });
  report({ type: 'run.warned', code: 'TENANCY_LABELS_KEPT', message: 'other labels' });
  report({ type: 'run.finished', command: 'migrate', counts: fleetCounts, failed: [], ms: 1, exitCode: 0 });
  await reporter.finish();
  const err = readErr();
  expect(err.match(/is ahead/g)).toHaveLength(told);
  expect(err).toContain('! other labels');
  expect(err.includes('! and 230 more warnings like these: --verbose or --json tell them all')).toBe(!isVerbose);
});

const fleetCounts = { applied: 0, 'up-to-date': 250, failed: 0, unverified: 0, unknown: 0, skipped: 0, cancelled: 0, 'not-started': 0 };
