import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { isBudgetSpent, parseFailureBudget } from '../../src/fleet/failure-budget.js';
import { backOffMs } from '../../src/fleet/retry.js';
import { type FleetLane, type FleetOptions, runFleet } from '../../src/fleet/run-fleet.js';
import { Tally } from '../../src/fleet/tally.js';
import type { TenantOutcome } from '../../src/outcome.js';

function outcomeOf(tenant: string, outcome: TenantOutcome['outcome'] = 'applied', retryable = false): TenantOutcome {
  const error = outcome === 'failed' ? { error: { code: 'X', message: 'x', hook: null, retryable, log: null } } : {};
  return { tenant, cluster: 'main', outcome, attempts: 1, from: null, to: null, ms: 0, ...error };
}

/** Tenants that go on only when the test lets them. */
function createFleet(lanes: readonly FleetLane<string>[], concurrency: number, options: Partial<FleetOptions<string>> = {}) {
  const waiting = new Map<string, () => void>();
  const started: string[] = [];
  const settled: string[] = [];
  const skipped: string[] = [];
  let peak = 0;
  const drain = new AbortController();
  const ended = runFleet<string>({
    lanes,
    concurrency,
    drain: drain.signal,
    run: async (tenant) => {
      started.push(tenant);
      await new Promise<void>((resolve) => {
        waiting.set(tenant, resolve);
        peak = Math.max(peak, waiting.size);
      });
      return outcomeOf(tenant);
    },
    skip: (tenant) => void skipped.push(tenant),
    settle: ({ tenant }) => void settled.push(tenant),
    ...options,
  });
  ended.catch(() => undefined);
  /** Until nothing moves any more but what the test holds. */
  const settle = async (): Promise<void> => {
    for (let count = 0; count < 20; count += 1) await turn();
  };
  return {
    ended,
    drain,
    started,
    settled,
    skipped,
    settle,
    running: () => [...waiting.keys()],
    peak: () => peak,
    async finish(tenant = [...waiting.keys()][0] ?? ''): Promise<void> {
      waiting.get(tenant)?.();
      waiting.delete(tenant);
      await settle();
    },
  };
}

async function* yieldAll(...items: readonly string[]): AsyncGenerator<string> {
  yield* items;
}

const lane = (name: string, cap: number, ...items: readonly string[]): FleetLane<string> => ({ name, cap, tenants: yieldAll(...items) });

describe('runFleet', () => {
  test('starts tenants in their order, never more than the lane takes', async () => {
    const fleet = createFleet([lane('main', 2, 'a', 'b', 'c', 'd')], 10);
    await fleet.settle();
    expect(fleet.running()).toEqual(['a', 'b']);
    await fleet.finish('b');
    expect(fleet.running()).toEqual(['a', 'c']);
    for (const tenant of ['a', 'c', 'd']) await fleet.finish(tenant);
    await fleet.ended;
    expect([fleet.started, fleet.settled, fleet.peak()]).toEqual([['a', 'b', 'c', 'd'], ['b', 'a', 'c', 'd'], 2]);
  });

  test('never has more in flight than the run takes, over all lanes', async () => {
    const fleet = createFleet([lane('one', 3, 'a1', 'a2', 'a3', 'a4'), lane('two', 3, 'b1', 'b2', 'b3')], 4);
    await fleet.settle();
    for (let left = 7; left > 0; left -= 1) {
      expect(fleet.running()).toHaveLength(Math.min(4, left));
      await fleet.finish();
    }
    await fleet.ended;
    expect(fleet.peak()).toBe(4);
  });

  test('lets a lane go on while another is full', async () => {
    const fleet = createFleet([lane('slow', 1, 'a1', 'a2'), lane('quick', 2, 'b1', 'b2', 'b3', 'b4')], 3);
    await fleet.settle();
    for (const tenant of ['b1', 'b2', 'b3', 'b4']) await fleet.finish(tenant);
    expect([fleet.settled, fleet.running()]).toEqual([['b1', 'b2', 'b3', 'b4'], ['a1']]);
    await fleet.finish('a1');
    await fleet.finish('a2');
    await fleet.ended;
  });

  test('starts nothing more once it drains, tells each that was left, and lets the others finish', async () => {
    const fleet = createFleet([lane('one', 2, 'a', 'b', 'c', 'd'), lane('two', 5, 'x', 'y', 'z')], 3);
    await fleet.settle();
    const running = fleet.running();
    fleet.drain.abort('interrupted');
    for (const tenant of running) await fleet.finish(tenant);
    await fleet.ended;
    expect(fleet.started).toEqual(running);
    expect([...fleet.settled, ...fleet.skipped].sort()).toEqual(['a', 'b', 'c', 'd', 'x', 'y', 'z']);
  });

  test('that drains from the start starts nothing', async () => {
    const skipped: string[] = [];
    await runFleet({
      lanes: [lane('main', 2, 'a', 'b')],
      concurrency: 2,
      drain: AbortSignal.abort(),
      run: async () => expect.unreachable(),
      skip: (item) => void skipped.push(item),
      settle: () => undefined,
    });
    expect(skipped).toEqual(['a', 'b']);
  });

  test('settles an outcome before the next tenant takes its slot', async () => {
    const order: string[] = [];
    await runFleet({
      lanes: [lane('main', 1, 'a', 'b')],
      concurrency: 1,
      drain: new AbortController().signal,
      run: async (tenant) => {
        order.push(`run ${tenant}`);
        return outcomeOf(tenant);
      },
      skip: () => undefined,
      settle: ({ tenant }) => void order.push(`settle ${tenant}`),
    });
    expect(order).toEqual(['run a', 'settle a', 'run b', 'settle b']);
  });

  test('rejects for a source that fails, but only after what is in flight has ended', async () => {
    async function* failing(): AsyncGenerator<string> {
      yield 'a';
      throw new Error('the registry is gone');
    }
    const fleet = createFleet([{ name: 'bad', cap: 3, tenants: failing() }, lane('good', 1, 'b', 'c')], 4);
    let isOver = false;
    fleet.ended.catch(() => undefined).finally(() => (isOver = true));
    await fleet.settle();
    expect(fleet.running()).toEqual(['a', 'b']);
    await fleet.finish('b');
    await fleet.finish('c');
    expect(isOver).toBe(false);
    await fleet.finish('a');
    await expect(fleet.ended).rejects.toThrow('the registry is gone');
    expect(fleet.settled).toEqual(['b', 'c', 'a']);
  });

  test('rejects for a bug in a callback, but only after everybody had their turn', async () => {
    const settled: string[] = [];
    const ended = runFleet({
      lanes: [lane('main', 2, 'a', 'b', 'c')],
      concurrency: 2,
      drain: new AbortController().signal,
      run: async (tenant) => {
        if (tenant === 'a') throw new Error('a bug');
        return outcomeOf(tenant);
      },
      skip: () => undefined,
      settle: ({ tenant }) => void settled.push(tenant),
    });
    await expect(ended).rejects.toThrow('a bug');
    expect(settled).toEqual(['b', 'c']);
  });

  test('never reads more than a few tenants ahead, whatever the size of the fleet', async () => {
    let pulled = 0;
    let settled = 0;
    let aheadAtMost = 0;
    async function* source(): AsyncGenerator<string> {
      for (let number = 0; number < 100_000; number += 1) {
        pulled += 1;
        aheadAtMost = Math.max(aheadAtMost, pulled - settled);
        yield `t${number}`;
      }
    }
    await runFleet({
      lanes: [{ name: 'main', cap: 8, tenants: source() }],
      concurrency: 8,
      drain: new AbortController().signal,
      run: async (tenant) => outcomeOf(tenant),
      skip: () => undefined,
      settle: () => {
        settled += 1;
      },
    });
    expect(settled).toBe(100_000);
    expect(aheadAtMost).toBeLessThanOrEqual(10);
  });
});

describe('the failure budget', () => {
  test.each([
    ['0', 1, 100, true],
    ['0', 0, 100, false],
    ['2', 2, 100, false],
    ['2', 3, 100, true],
    ['10%', 10, 100, false],
    ['10%', 11, 100, true],
    ['10%', 1, 9, true],
    ['0%', 1, 1_000, true],
    ['100%', 100, 100, false],
    [' 5 ', 6, 10, true],
  ])('%s with %i failed of %i is spent: %s', (raw, failures, selected, isSpent) => {
    expect(isBudgetSpent(parseFailureBudget(raw), failures, selected)).toBe(isSpent);
  });

  test('that is not set is never spent', () => {
    expect(isBudgetSpent(null, 1_000, 1_000)).toBe(false);
  });

  test.each(['', '-1', '1.5', '101%', 'ten', '5 %', '%'])('%j is refused', (raw) => {
    expect(() => parseFailureBudget(raw)).toThrow(expect.objectContaining({ code: 'TENANCY_OPTION_REJECTED', exitCode: 2 }));
  });
});

test('a retry waits longer each time, up to ten seconds, and never less than half of that', () => {
  for (let attempt = 1; attempt <= 40; attempt += 1) {
    const ceiling = Math.min(10_000, 200 * 2 ** (attempt - 1));
    expect(backOffMs(attempt, () => 0)).toBe(ceiling / 2);
    expect(backOffMs(attempt, () => 0.999999)).toBeLessThanOrEqual(ceiling);
    expect(backOffMs(attempt)).toBeGreaterThanOrEqual(ceiling / 2);
  }
});

test('a tally counts every outcome and keeps those that failed, worst first', () => {
  const tally = new Tally();
  tally.add(outcomeOf('z', 'failed', true));
  tally.add(outcomeOf('y', 'failed'));
  tally.add(outcomeOf('x', 'unverified'));
  tally.add(outcomeOf('w', 'unknown'));
  tally.add(outcomeOf('a', 'failed'));
  tally.add(outcomeOf('b'));
  tally.add(outcomeOf('c', 'cancelled'));
  tally.count('up-to-date', 7);
  expect(tally.failed.map(({ tenant }) => tenant)).toEqual(['w', 'x', 'a', 'y', 'z']);
  expect(tally.counts).toMatchObject({
    applied: 1,
    failed: 3,
    unverified: 1,
    unknown: 1,
    cancelled: 1,
    'up-to-date': 7,
    skipped: 0,
    'not-started': 0,
  });
  expect([tally.failures, tally.total]).toEqual([5, 14]);
});
