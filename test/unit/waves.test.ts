import { describe, expect, test } from 'vitest';
import { explainWaves, parseWaves } from '../../src/config/parse-waves.js';
import { parseFailureBudget } from '../../src/fleet/failure-budget.js';
import { planWaveSizes, planWaves, positionOf, tolerateFailures } from '../../src/fleet/waves.js';

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `tenant-${index}`);
const place = (tenants: readonly string[]): Float64Array => Float64Array.from(tenants, positionOf);

/** Who is in which wave. */
function assign(asked: string, tenants: readonly string[]): readonly (readonly string[])[] {
  return planWaves(parseWaves(asked), place(tenants)).map(({ after, upTo }) =>
    tenants.filter((tenant) => positionOf(tenant) > after && positionOf(tenant) <= upTo),
  );
}

describe('the sizes of waves', () => {
  test.for([
    ['1,10%,100%', 200, [1, 19, 180]],
    ['1,10%,100%', 5, [1, 4]],
    ['1,10%,100%', 1, [1]],
    ['1,10%,100%', 0, []],
    ['5', 200, [5, 195]],
    ['5', 3, [3]],
    ['1%', 30, [1, 29]],
    ['0.5%,50%', 1000, [5, 495, 500]],
    ['100%', 10, [10]],
  ] as const)('of %s over %i tenants are %j', ([asked, tenants, sizes]) => {
    expect(planWaveSizes(parseWaves(asked), tenants)).toEqual(sizes);
  });

  test.for(['0', '0%', '101%', '10%,5%', '5,5', '1,,2', '1.5', 'ten', '-1', ''])('are not told by %j', (raw) => {
    expect(explainWaves(raw)).toMatch(/^how far each wave reaches/);
  });

  test('of a canary is one', () => {
    expect([explainWaves('1', 1), explainWaves(1, 1), explainWaves('5%', 1), explainWaves('none', 1)]).toEqual([null, null, null, null]);
    expect(explainWaves('1,2', 1)).toMatch(/^a number of tenants/);
  });
});

describe('the members of waves', () => {
  test('are as many as planned, and everybody is in one', () => {
    const tenants = ids(1000);
    const waves = assign('1,10%,100%', tenants);
    expect(waves.map((wave) => wave.length)).toEqual([1, 99, 900]);
    expect(waves.flat().sort()).toEqual([...tenants].sort());
  });

  test('are the same in every run, whatever order they come in', () => {
    const tenants = ids(300);
    expect(assign('3,20%', [...tenants].reverse()).map((wave) => new Set(wave))).toEqual(
      assign('3,20%', tenants).map((wave) => new Set(wave)),
    );
    // By heart: another order would make other tenants of yours the canaries.
    expect(
      tenants
        .map((id) => ({ id, at: positionOf(id) }))
        .sort((a, b) => a.at - b.at)
        .slice(0, 3)
        .map(({ id }) => id),
    ).toMatchInlineSnapshot(`
      [
        "tenant-223",
        "tenant-34",
        "tenant-144",
      ]
    `);
  });

  test('are spread evenly', () => {
    const tenths = new Array<number>(10).fill(0);
    for (const id of ids(10_000)) tenths[Math.floor(10 * positionOf(id))] = (tenths[Math.floor(10 * positionOf(id))] ?? 0) + 1;
    expect(Math.min(...tenths)).toBeGreaterThan(900);
    expect(new Set(ids(10_000).map(positionOf)).size).toBe(10_000);
  });

  test('stay where they are when others come and go', () => {
    const tenants = ids(400);
    const [canaries = []] = assign('5,100%', tenants);
    const others = tenants.filter((tenant) => !canaries.includes(tenant));
    expect(assign('5,100%', [...canaries, ...others.slice(0, 50)])[0]).toEqual(canaries);
    const grown = new Set(assign('25%,100%', [...tenants, ...ids(440).slice(400)])[0]);
    const kept = (assign('25%,100%', tenants)[0] ?? []).filter((tenant) => grown.has(tenant));
    expect(kept.length).toBeGreaterThan(90);
  });
});

describe('the failures that a wave bears', () => {
  const [canary, second, last] = planWaves(parseWaves('10,50%,100%'), place(ids(100)));
  test.for([
    ['nothing', null, [0, 0, null]],
    // Meant for the fleet: five of ten canaries would be half of them.
    ['a number', '5', [0, 5, null]],
    ['a share', '10%', [1, 4, null]],
  ] as const)('where --max-failures says %s', ([, budget, expected]) => {
    const parsed = budget === null ? null : parseFailureBudget(budget);
    expect([canary, second, last].map((wave) => wave && tolerateFailures(wave, parsed))).toEqual(expected);
  });
});
