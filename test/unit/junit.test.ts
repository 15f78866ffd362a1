import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TenancyError } from '../../src/errors.js';
import type { RunEvent } from '../../src/events.js';
import type { OutcomeCounts, TenantOutcome } from '../../src/outcome.js';
import { type JunitReporter, openJunitReporter } from '../../src/reporters/junit/junit-reporter.js';
import { registerSecret } from '../../src/util/redact.js';
import { until } from '../rig/gate.js';
import { readJunit } from '../rig/junit.js';

const counts: OutcomeCounts = {
  applied: 0,
  'up-to-date': 9,
  failed: 0,
  unverified: 0,
  unknown: 0,
  skipped: 0,
  cancelled: 0,
  'not-started': 0,
};
const started: RunEvent = {
  type: 'run.started',
  command: 'migrate',
  selected: 12,
  upToDate: 9,
  target: '0002_b',
  concurrency: 4,
  clusters: { eu: { tenants: 2, cap: 4 }, us: { tenants: 1, cap: 4 } },
  dryRun: false,
};
const ended: RunEvent = { type: 'run.finished', command: 'migrate', counts, failed: [], ms: 1234, exitCode: 0 };
const outcome = (tenant: string, given: Partial<TenantOutcome> = {}): TenantOutcome => ({
  tenant,
  cluster: 'eu',
  outcome: 'applied',
  attempts: 1,
  from: '0001_a',
  to: '0002_b',
  ms: 42,
  ...given,
});
const failure = (tenant: string, message: string, given: Partial<TenantOutcome> = {}): TenantOutcome =>
  outcome(tenant, {
    outcome: 'failed',
    error: { code: 'TENANCY_MIGRATION_FAILED', message, hint: 'mend it', hook: 'migrate', retryable: false, log: null },
    ...given,
  });
const tell = (reporter: JunitReporter, ...events: readonly RunEvent[]): void => {
  for (const event of events) reporter.report({ v: 1, at: '2026-01-02T03:04:05.678Z', run: 'r1', ...event });
};
const finished = (each: TenantOutcome): RunEvent => ({ type: 'tenant.finished', ...each });

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'junit-'));
  file = path.join(folder, 'report.xml');
});
afterEach(() => rm(folder, { recursive: true }));

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;

const listSpools = async (): Promise<readonly string[]> => (await readdir(tmpdir())).filter((name) => name.startsWith('tenancy-junit-'));

const sizeOfSpools = async (others: readonly string[]): Promise<number> => {
  const folders = (await listSpools()).filter((name) => !others.includes(name)).map((name) => path.join(tmpdir(), name));
  const files = await Promise.all(folders.map(async (name) => (await readdir(name)).map((entry) => path.join(name, entry))));
  const sizes = await Promise.all(files.flat().map(async (name) => (await stat(name)).size));
  return sizes.reduce((total, size) => total + size, 0);
};

describe('the JUnit report', () => {
  test('has a suite for each cluster, a case for each tenant with work, and counts the others', async () => {
    const reporter = await openJunitReporter(file, 'tenancy tenant migrate');
    tell(reporter, started, finished(outcome('acme')), finished(failure('globex', 'globex: no such table', { cluster: 'us' })));
    tell(
      reporter,
      finished(outcome('initech', { outcome: 'not-started', attempts: 0 })),
      finished(outcome('idle', { outcome: 'up-to-date' })),
    );
    tell(
      reporter,
      finished(outcome('hooli', { outcome: 'unverified' })),
      finished(outcome('pied', { outcome: 'skipped' })),
      finished(outcome('piper', { outcome: 'cancelled' })),
    );
    tell(reporter, {
      ...ended,
      exitCode: 1,
      failed: [failure('globex', 'globex: no such table', { cluster: 'us' }), outcome('hooli', { outcome: 'unverified' })],
    });
    await reporter.finish();
    const { name, suites } = await readJunit(file);
    const shown = suites.map((suite) => [suite.name, ...suite.testcases.map((each) => `${each.name}: ${each.result}`)]);
    expect([name, shown]).toEqual([
      'tenancy migrate',
      [
        ['eu', 'acme: passed', 'initech: skipped', 'hooli: failure', 'pied: skipped', 'piper: skipped'],
        ['us', 'globex: failure'],
      ],
    ]);
    expect(suites[1]?.testcases[0]).toMatchObject({
      classname: 'tenancy.migrate.us',
      message: 'globex: no such table',
      type: 'TENANCY_MIGRATION_FAILED',
    });
    expect(suites[1]?.testcases[0]?.text).toContain('→ mend it');
    expect(suites[0]?.testcases[1]?.message).toBe('not started');
    const properties = { run: 'r1', command: 'migrate', target: '0002_b', selected: '12', 'tenants.up-to-date': '9', exitCode: '1' };
    for (const suite of suites) expect(suite.properties).toMatchObject(properties);
    expect(await readdir(folder)).toEqual(['report.xml']);
  });

  test('can be read whatever a message has in it, and has no secret', async () => {
    registerSecret('s3cr3t<&>of"junit');
    const control = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join('');
    const message = `<b>&amp; ]]> "x" 'y'\n${control}\ud800 \udc00 \ufffe\uffff \u{1f4a5} \u001b[31mred\u001b[0m\nurl postgres://u:hidden@h/db and s3cr3t<&>of"junit`;
    const reporter = await openJunitReporter(file, 'tenancy tenant migrate');
    tell(reporter, started, finished(failure('acme', message)), finished(failure('b&"<c', `line "one"\ttab`, { cluster: 'eu & <us>' })));
    tell(reporter, { ...ended, exitCode: 1, failed: [failure('acme', message), failure('b&"<c', 'x')] });
    await reporter.finish();
    const { suites } = await readJunit(file);
    const [first, second] = suites.flatMap(({ testcases }) => testcases);
    expect(first?.message).toBe(`<b>&amp; ]]> "x" 'y'`);
    expect(first?.text).toContain('\u{1f4a5} red\nurl postgres://u:***@h/db and ***');
    expect(first?.text).toContain('\ufffd');
    expect([suites[1]?.name, second?.name, second?.message]).toEqual(['eu & <us>', 'b&"<c', 'line "one"\ttab']);
    expect(await readFile(file, 'utf8')).not.toMatch(/hidden|s3cr3t/);
  });

  test('says what stopped a run in which nobody failed, and lists failures of before it was gone on with', async () => {
    const reporter = await openJunitReporter(file, 'tenancy run resume');
    const stopped = { reason: 'gate', wave: 1, waves: 3, detail: 'error rate 5%', notStarted: 9 } as const;
    tell(reporter, started, finished(outcome('acme')), { ...ended, exitCode: 4, stopped });
    await reporter.finish();
    const [, run] = (await readJunit(file)).suites;
    expect(run).toMatchObject({
      name: 'tenancy',
      testcases: [{ name: 'run r1', result: 'error', message: expect.stringContaining('error rate 5%') }],
    });

    const resumed = await openJunitReporter(file, 'tenancy run resume');
    const before = failure('early', 'early: no');
    tell(resumed, started, finished(failure('late', 'late: no')), { ...ended, exitCode: 1, failed: [before, failure('late', 'late: no')] });
    await resumed.finish();
    expect((await readJunit(file)).suites[0]?.testcases.map(({ name }) => name)).toEqual(['late', 'early']);
  });

  test('is written of what ended without a run, or in the middle of one, and of nothing where nothing ran', async () => {
    const failed = await openJunitReporter(file, 'tenancy tenant migrate');
    failed.fail(new TenancyError('TENANCY_SELECTION_MISSING', { command: 'migrate' }));
    await failed.finish();
    const [suite] = (await readJunit(file)).suites;
    expect(suite?.testcases).toMatchObject([{ name: 'tenancy tenant migrate', result: 'error', type: 'TENANCY_SELECTION_MISSING' }]);

    const broken = await openJunitReporter(file, 'tenancy tenant migrate');
    tell(broken, started, finished(outcome('acme')));
    await broken.finish();
    expect((await readJunit(file)).suites[1]?.testcases).toMatchObject([{ result: 'error', type: 'TENANCY_RUN_UNFINISHED' }]);

    await rm(file);
    const idle = await openJunitReporter(file, 'tenancy run resume');
    await idle.finish();
    expect(await readdir(folder)).toEqual([]);
  });

  test('tells a plan as what was not tried', async () => {
    const reporter = await openJunitReporter(file, 'tenancy tenant migrate');
    const plan = { tenant: 'acme', cluster: 'eu', driver: 'postgres-schema', name: 'tenant_acme', from: null, to: '0001_a' } as const;
    tell(
      reporter,
      { ...started, dryRun: true },
      { type: 'tenant.planned', ...plan, steps: ['migrate'], migrations: ['0001_a'] },
      { ...ended, exitCode: 3 },
    );
    await reporter.finish();
    expect((await readJunit(file)).suites).toMatchObject([
      {
        properties: { dryRun: 'true' },
        testcases: [{ name: 'acme', result: 'skipped', message: 'dry run: would migrate, nothing → 0001_a' }],
      },
    ]);
  });

  test('of a large fleet is put together from the disk, in bounded memory, with nothing left over', async () => {
    const before = await listSpools();
    const reporter = await openJunitReporter(file, 'tenancy tenant migrate');
    const text = 'x'.repeat(2_000);
    tell(reporter, started);
    const heap = (): number => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const atStart = heap();
    const spooled: string[] = [];
    for (let index = 0; index < 20_000; index += 1) {
      const cluster = index % 3 === 0 ? 'us' : 'eu';
      // Not failures of `run.finished`: what is kept of those is another's.
      tell(
        reporter,
        finished(
          outcome(`t${index}`, {
            cluster,
            outcome: 'skipped',
            error: { code: 'X', message: text, hook: null, retryable: false, log: null },
          }),
        ),
      );
      // As in a run, whose tenants take longer than the disk does to keep a case.
      if (index % 1_000 === 0) await until(async () => (await sizeOfSpools(before)) >= (index - 2_000) * 2_000, 'the disk to keep up');
    }
    spooled.push(...(await listSpools()).filter((name) => !before.includes(name)));
    const grown = heap() - atStart;
    tell(reporter, ended);
    await reporter.finish();
    process.stdout.write(`20,000 cases of 2 kB: heap grew by ${Math.round(grown / 1e6)} MB\n`);
    expect(spooled).toHaveLength(1);
    expect(await listSpools()).not.toContain(spooled[0]);
    const { suites } = await readJunit(file);
    expect(suites.map((suite) => [suite.name, suite.testcases.length])).toEqual([
      ['eu', 13_333],
      ['us', 6_667],
    ]);
    expect(grown).toBeLessThan(20e6);
  });
});

describe('a file that it can not be written to', () => {
  const refusal = async (target: string): Promise<string> => {
    const error = await openJunitReporter(target, 'x').then(
      () => null,
      (reason: unknown) => reason as TenancyError,
    );
    expect(error).toMatchObject({ code: 'TENANCY_JUNIT_UNWRITTEN', exitCode: 2 });
    return error?.message ?? '';
  };

  test('is told before anything is done', async () => {
    expect(await refusal(path.join(folder, 'nowhere/report.xml'))).toContain(`there is no folder ${folder}/nowhere`);
    await writeFile(path.join(folder, 'plain'), '');
    expect(await refusal(path.join(folder, 'plain/report.xml'))).toContain('plain is no folder');
    await mkdir(path.join(folder, 'sub'));
    expect(await refusal(path.join(folder, 'sub'))).toContain('it is a folder');
    await writeFile(file, '{"name": "mine"}');
    expect(await refusal(file)).toContain('a file that is no JUnit report is there already');
    expect(await readFile(file, 'utf8')).toBe('{"name": "mine"}');
  });

  test('is told at the end where it went away meanwhile', async () => {
    const gone = path.join(folder, 'gone');
    await mkdir(gone);
    const reporter = await openJunitReporter(path.join(gone, 'report.xml'), 'x');
    tell(reporter, started, ended);
    await rm(gone, { recursive: true });
    await expect(reporter.finish()).rejects.toMatchObject({ code: 'TENANCY_JUNIT_UNWRITTEN' });
  });
});
