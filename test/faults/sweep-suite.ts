import process from 'node:process';
import { afterAll, describe, expect, it } from 'vitest';
import { LEASE_MS } from '../../src/lifecycle/leases.js';
import { isWholeSweep, type SweepResult, sampleOf, seed, sweep } from './sweep.js';
import { type FaultSuite, usePlace } from './use-place.js';

/** What a takeover may take, from the kill to the next one's lease. */
const TAKEOVER_MS = LEASE_MS + 5_000;
/** On a machine that is busy with all the others, processes are slow to go on. */
const LATE_MS = 4_000;

/** The crash sweep over one engine, and the times of the takeovers in it. */
export function describeCrashSweep(suite: FaultSuite): void {
  describe('1 crash sweep: a command that was killed anywhere, run once more, ends as if nothing had happened', {
    timeout: isWholeSweep ? 3_600_000 : 480_000,
  }, () => {
    const results: [string, SweepResult][] = [];
    const place = usePlace(suite);
    afterAll(() => {
      const tried = results.reduce((sum, [, { points }]) => sum + points, 0);
      const converged = results.reduce((sum, [, result]) => sum + result.converged, 0);
      const lines = results.map(([name, { points, converged, slowestTakeoverMs, takeovers }]) => {
        return `${name}: ${converged} of ${points}; slowest of ${takeovers} takeovers ${(slowestTakeoverMs / 1000).toFixed(1)} s`;
      });
      process.stdout.write(`crash sweep, seed ${seed}:\n  ${lines.join('\n  ')}\n  ${tried} points tried, ${converged} converged\n`);
    });

    it.concurrent.for(sampleOf(suite.swept, 2))('$command.name by $driver', async (swept, { task }) => {
      const { driver, command } = swept;
      const result = await sweep(place.projectOf(swept), place.serverUrl, driver, command);
      results.push([`${command.name} by ${driver}`, result]);
      task.meta.points = { tried: result.points, converged: result.converged };
      expect(result.failures).toEqual([]);
      // A sample of a command of few requests is small.
      expect(result.points).toBeGreaterThan(isWholeSweep ? 5 : 2);
    });

    describe('5 no manual unlock', () => {
      it('the lease of a killed command is taken over within its time and 5 s', ({ task }) => {
        const takeovers = results.reduce((sum, [, result]) => sum + result.takeovers, 0);
        task.meta.points = { tried: takeovers, converged: takeovers };
        expect(takeovers).toBeGreaterThan(0);
        for (const [name, { slowestTakeoverMs }] of results) expect(slowestTakeoverMs, name).toBeLessThan(TAKEOVER_MS + LATE_MS);
      });
    });
  });
}
