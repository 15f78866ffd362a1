import type { TestCase, TestSuite } from 'vitest/node';

/**
 * What this project holds itself to. A test that belongs to one of these begins its name, or that of a suite around it, with the number;
 * `npm run test:faults` prints how each came out.
 */
export const SCORECARD: Readonly<Record<number, string>> = {
  1: 'crash sweep: killed before and after each request, run once more',
  2: 'double crash: the recovery is killed too',
  3: 'late completion: what the server finishes after the kill is adopted',
  4: 'unprobeable step: told as unknown, never run twice',
  5: 'no manual unlock: a takeover within the lease and 5 s',
  6: 'zombie: stopped past its lease, it writes nothing',
  7: 'race: eight processes, one effective run',
  8: 'PgBouncer in transaction mode: 1, 5 and 7 hold, nothing leaks',
  9: 'retry table: each code by its class, bounded, jittered',
  10: 'connection chaos: ends by its deadline',
  11: 'sessions terminated every 200 ms: right after two more runs',
  12: 'lock queue: readers wait no longer than the lock timeout, each time',
  13: 'fan-out grants: no race of the catalogue reaches the user',
  14: 'partial failure: exactly the broken ones are named and run again',
  15: 'disk full, lock table full: no false success',
  16: 'clock skew of 24 h: leases and retention unchanged',
  17: 'deprovision guards: refused before any write',
  18: 'backup restores: equal to the checksum before the drop',
  19: 'soft delete: cut off within 1 s, brought back whole',
  20: 'identifiers: refused before connecting, or safe',
  21: 'isolation matrix: nothing of A reaches B',
  22: 'secrets: no canary anywhere',
  23: 'history checker: no unreachable state',
};

/** How many things a test of the scorecard tried, where it isn't one: points of a sweep, names of a corpus. */
export interface ScorecardPoints {
  readonly tried: number;
  readonly converged: number;
}

declare module 'vitest' {
  interface TaskMeta {
    points?: ScorecardPoints;
  }
}

/** One test of the scorecard, as it came out. */
export interface ScorecardEntry extends ScorecardPoints {
  readonly number: number;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'not-run';
  /** Why it was not run. */
  readonly note: string | null;
}

/** Null for a test that has no number. */
export function scoreTest(test: TestCase): ScorecardEntry | null {
  const numbered = [test, ...suitesAround(test)].map(({ name }) => /^(\d{1,2}) \S/.exec(name)?.[1]).find((found) => found !== undefined);
  const number = Number(numbered);
  if (numbered === undefined || SCORECARD[number] === undefined) return null;
  const { state, ...result } = test.result();
  const isPassed = state === 'passed';
  const { tried, converged } = test.meta().points ?? { tried: 1, converged: isPassed ? 1 : 0 };
  return {
    number,
    name: test.fullName,
    state: isPassed ? 'passed' : state === 'failed' ? 'failed' : 'not-run',
    note: 'note' in result ? (result.note ?? null) : null,
    ...(state === 'skipped' ? { tried: 0, converged: 0 } : { tried, converged }),
  };
}

function suitesAround(test: TestCase): readonly TestSuite[] {
  const suites: TestSuite[] = [];
  for (let { parent } = test; parent.type === 'suite'; parent = parent.parent) suites.push(parent);
  return suites;
}
