import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/events.js';
import type { OutcomeCounts, TenantOutcome } from '../../src/outcome.js';
import { printRunMerge, toRunMergeDocument } from '../../src/reporters/documents/merge-document.js';
import { createPalette } from '../../src/reporters/palette.js';
import { mergeReports } from '../../src/reports/merge-reports.js';
import { readReport } from '../../src/reports/read-report.js';
import type { RunTold } from '../../src/reports/run-told.js';
import { assertDocument, assertEvent } from '../rig/events-schema.js';

const none: OutcomeCounts = {
  applied: 0,
  'up-to-date': 0,
  failed: 0,
  unverified: 0,
  unknown: 0,
  skipped: 0,
  cancelled: 0,
  'not-started': 0,
};
const error = { code: 'TENANCY_MIGRATION_FAILED', message: 'no', hook: 'migrate', retryable: false, log: null };
const outcome = (tenant: string, given: Partial<TenantOutcome> = {}): TenantOutcome => {
  return { tenant, cluster: 'main', outcome: 'applied', attempts: 1, from: null, to: '0001_a', ms: 5, ...given };
};
const failed = (tenant: string, given: Partial<TenantOutcome> = {}): TenantOutcome =>
  outcome(tenant, { outcome: 'failed', error, ...given });

/** Lines as a run writes them, each by the published schema. */
const lines = (run: string | null, ...events: readonly RunEvent[]): readonly string[] =>
  events.map((event) => JSON.stringify(assertEvent({ v: 1, at: '2026-01-02T03:04:05.678Z', run, ...event })));
const started = (given: Partial<Extract<RunEvent, { type: 'run.started' }>> = {}): RunEvent => {
  const clusters = { main: { tenants: 1, cap: 4 } };
  return {
    type: 'run.started',
    command: 'migrate',
    selected: 3,
    upToDate: 1,
    target: '0001_a',
    concurrency: 4,
    clusters,
    dryRun: false,
    ...given,
  };
};
const finished = (given: Partial<Extract<RunEvent, { type: 'run.finished' }>> = {}): RunEvent => {
  return {
    type: 'run.finished',
    command: 'migrate',
    counts: { ...none, applied: 2, 'up-to-date': 1 },
    failed: [],
    ms: 10,
    exitCode: 0,
    ...given,
  };
};
const told = (each: TenantOutcome): RunEvent => ({ type: 'tenant.finished', ...each });

async function* yieldAll(items: readonly string[]): AsyncGenerator<string> {
  yield* items;
}
const read = (source: string, ...all: readonly string[]): Promise<RunTold> => readReport(source, yieldAll(all));
const shard = (index: number, of: number, ...events: readonly RunEvent[]): Promise<RunTold> =>
  read(`${index}.ndjson`, ...lines(`r${index}`, started({ shard: { index, of } }), ...events));
const refusal = async (attempt: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt);
  } catch (reason) {
    const { exitCode, message } = reason as { exitCode: number; message: string };
    return `${exitCode}: ${message}`;
  }
  return 'not refused';
};

describe('a report', () => {
  test('is read with its end, whatever npm wrote before it', async () => {
    const report = await read(
      'a',
      '\uFEFF',
      '> app@1.0.0 deploy',
      '> tenancy tenant migrate',
      '',
      ...lines('r1', started(), told(outcome('x')), finished()),
    );
    expect(report).toMatchObject({
      run: 'r1',
      command: 'migrate',
      target: '0001_a',
      selected: 3,
      exitCode: 0,
      counts: { applied: 2, 'up-to-date': 1 },
    });
  });

  test('without an end has what was told until then, also where the last line was cut off', async () => {
    const events = lines('r1', started({ selected: 9, upToDate: 4, doneBefore: 1 }), told(outcome('x')), told(failed('y')));
    for (const rest of [[], ['{"v":1,"at":"2026-'], ['{"v":1', '']]) {
      const report = await read('a', ...events, ...rest);
      expect(report).toMatchObject({ exitCode: null, selected: 9, counts: { applied: 1, failed: 1, 'up-to-date': 3 } });
      expect(report.failed.map(({ tenant }) => tenant)).toEqual(['y']);
    }
    expect(await read('a')).toMatchObject({ run: null, exitCode: null, selected: 0 });
  });

  test('of a run that an error broke off counts what it had done', async () => {
    const end = finished({ command: null, counts: none, exitCode: 6, error: { ...error, code: 'TENANCY_REGISTRY_UNREACHABLE' } });
    const report = await read('a', ...lines('r1', started(), told(failed('y'))), ...lines(null, end));
    expect(report).toMatchObject({
      run: 'r1',
      exitCode: 6,
      counts: { failed: 1, 'up-to-date': 1 },
      error: { code: 'TENANCY_REGISTRY_UNREACHABLE' },
    });
  });

  test('that is none is refused, with the line', async () => {
    const [first = '', second = ''] = lines('r1', started(), finished());
    expect(await refusal(read('a', 'hello'))).toBe('2: a is no report of a run: there is no event in it: it was not written with --json');
    expect(await refusal(read('a', '{"a":'))).toContain('there is no event in it');
    expect(await refusal(read('a', first, 'hello', second))).toBe('2: a is no report of a run: line 2 is no event');
    expect(await refusal(read('a', '{"v":1}'))).toContain('line 1 is no event');
    expect(await refusal(read('a', first.replace('"v":1', '"v":2')))).toContain('version 2');
    expect(await refusal(read('a', first, second.replace('"exitCode":0', '"exitCode":9')))).toContain(
      'line 2 is no run.finished as it is published: exitCode',
    );
    expect(await refusal(read('a', first, second.replace('"applied":2', '"applied":-2')))).toContain('counts.applied');
    expect(await refusal(read('a', first, second, first))).toContain('it goes on after the end of r1');
    expect(await refusal(read('a', first, ...lines('r2', finished())))).toContain('two runs, r1 and r2');
  });
});

describe('merged reports', () => {
  test('are added up, failures worst first, with the worst exit code', async () => {
    const lost = failed('a-lost', { outcome: 'unknown' });
    const reports = [
      await shard(
        3,
        3,
        finished({ counts: { ...none, applied: 1, failed: 1, unknown: 1 }, failed: [lost, failed('c')], ms: 30, exitCode: 1 }),
      ),
      await shard(1, 3, finished()),
      await shard(
        2,
        3,
        finished({
          counts: { ...none, failed: 1, 'not-started': 2 },
          failed: [failed('b', { error: { ...error, retryable: true } })],
          exitCode: 130,
        }),
      ),
    ];
    const merged = mergeReports(reports);
    expect(merged).toMatchObject({ command: 'migrate', shards: 3, selected: 9, unaccounted: 0, ms: 30, exitCode: 130, problems: [] });
    expect(merged.counts).toEqual({ ...none, applied: 3, 'up-to-date': 1, failed: 2, unknown: 1, 'not-started': 2 });
    expect(merged.failed.map(({ tenant }) => tenant)).toEqual(['a-lost', 'c', 'b']);
    expect(merged.reports.map(({ source }) => source)).toEqual(['1.ndjson', '2.ndjson', '3.ndjson']);
    const document = toRunMergeDocument(merged);
    expect(assertDocument('runMerge', JSON.stringify(document))).toEqual(JSON.parse(JSON.stringify(document)));
    const text = printRunMerge(document, createPalette(false)).join('\n');
    expect(text).toContain('of 9 tenants in 3 runs, the longest took 30 ms');
    expect(text).toContain('→ to try again what is left: tenancy run retry r2');
    expect(text).not.toContain('retry r1');
  });

  test.each([
    [[0, 0], 0],
    [[0, 3], 3],
    [[3, 1], 1],
    [[1, 5], 5],
    [[1, 130], 130],
    [[130, 143], 143],
    [[143, 4], 4],
    [[4, 6], 6],
    [[6, 2], 2],
    [[2, 70], 70],
  ] as const)('of runs that exited with %j exit with %d', async (codes, expected) => {
    const reports = await Promise.all(codes.map((exitCode, index) => shard(index + 1, 2, finished({ exitCode }))));
    expect([mergeReports(reports).exitCode, mergeReports(reports.reverse()).exitCode]).toEqual([expected, expected]);
  });

  test('of which one died show the rest, name it, and are no success', async () => {
    const merged = mergeReports([await shard(1, 3, finished()), await shard(2, 3, told(outcome('x'))), await shard(3, 3, finished())]);
    expect(merged).toMatchObject({ exitCode: 4, selected: 9, unaccounted: 1, counts: { applied: 5, 'up-to-date': 3 } });
    expect(merged.problems).toEqual([{ source: '2.ndjson', message: expect.stringMatching(/^2\.ndjson: shard 2\/3, run r2, has no end/) }]);
    expect(printRunMerge(toRunMergeDocument(merged), createPalette(false)).join('\n')).toMatch(/1 without an outcome[^]*run resume r2/);
    const empty = mergeReports([await shard(1, 2, finished()), await read('2.ndjson')]);
    expect([empty.exitCode, empty.problems.map(({ source }) => source)]).toEqual([4, ['2.ndjson']]);
  });

  test('that lack a shard say which', async () => {
    const merged = mergeReports([await shard(2, 4, finished())]);
    expect([merged.exitCode, merged.problems]).toEqual([4, [{ source: null, message: 'there is no report of shard 1/4, 3/4, 4/4' }]]);
  });

  test('of which one never had a run are as bad as that', async () => {
    const unreachable = { ...error, code: 'TENANCY_REGISTRY_UNREACHABLE' };
    const lost = await read('2.ndjson', ...lines(null, finished({ command: null, counts: none, exitCode: 6, error: unreachable })));
    expect(mergeReports([await shard(1, 2, finished()), lost])).toMatchObject({ exitCode: 6, problems: [], selected: 3 });
    expect(mergeReports([lost])).toMatchObject({ command: null, exitCode: 6, selected: 0 });
  });

  test('that do not belong together are refused', async () => {
    const one = await shard(1, 2, finished());
    const other = async (run: string, given: Parameters<typeof started>[0]): Promise<RunTold> =>
      read('b', ...lines(run, started(given), finished()));
    const half = { index: 2, of: 2 };
    const refused = async (second: RunTold): Promise<string> => refusal(() => mergeReports([one, second]));
    expect(await refused(await other('r1', { shard: half }))).toBe(
      "2: these reports don't make one: 1.ndjson and b are of the same run, r1",
    );
    expect(await refused(await other('r2', { shard: half, command: 'rollback' }))).toContain('different commands, migrate and rollback');
    expect(await refused(await other('r2', { shard: half, target: '0002_b' }))).toContain('different targets, 0001_a and 0002_b');
    expect(await refused(await other('r2', { shard: half, dryRun: true }))).toContain('one is a dry run');
    expect(await refused(await other('r2', { shard: { index: 2, of: 3 } }))).toContain('parts of 2 and of 3 shards');
    expect(await refused(await other('r2', {}))).toContain('one is a shard, and the other is not');
    expect(await refused(await other('r2', { shard: { index: 1, of: 2 } }))).toContain('are both of shard 1/2');
    expect(await refused(await other('r2', { shard: half }))).toBe('not refused');
  });
});
