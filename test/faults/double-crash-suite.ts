import { beforeAll, describe, expect, it } from 'vitest';
import { assertEnd, checksumBystanders, countRequests, isWholeSweep, limit, seed } from './sweep.js';
import { type FaultSuite, type Swept, usePlace } from './use-place.js';

/** `pairs`: so many for each command, where the sweep isn't whole. */
export function describeDoubleCrash(suite: FaultSuite, { pairs: sampled }: { readonly pairs: number }): void {
  const PAIRS = isWholeSweep ? 24 : sampled;

  describe('2 double crash: a recovery that is killed too is recovered from', { timeout: isWholeSweep ? 3_600_000 : 480_000 }, () => {
    const place = usePlace(suite);
    beforeAll(() => void process.stdout.write(`double crashes, seed ${seed}\n`));

    async function crashTwice(swept: Swept, first: number, second: number): Promise<string | null> {
      const { driver, command } = swept;
      const sandbox = await place.projectOf(swept).open(place.serverUrl, driver);
      const kills: string[] = [];
      try {
        await sandbox.prepare(command.prepared);
        const bystanders = await checksumBystanders(sandbox, command);
        const proxy = await sandbox.openProxy();
        for (const request of [first, second]) {
          const phase = (['before', 'during', 'after'] as const)[request % 3] ?? 'after';
          const killed = await proxy.crash(() => sandbox.startThrough(proxy, command.args), { request, phase });
          if (!killed.isKilled && killed.exitCode !== 0) throw new Error(`it ended with ${killed.exitCode} by itself: ${killed.output}`);
          kills.push(`${phase} request ${request} (${killed.sql.replace(/\s+/g, ' ').trim().slice(0, 80)})`);
          await sandbox.expireLeases();
        }
        const third = await sandbox.run(command.args);
        if (third.exitCode !== 0) throw new Error(`the third run ended with ${third.exitCode}:\n${third.stderr}${third.stdout}`);
        await assertEnd(sandbox, command, bystanders);
        return null;
      } catch (error) {
        return `${command.name} by ${driver}, killed ${kills.join(', then ')}: ${error instanceof Error ? error.message : String(error)}`;
      } finally {
        await sandbox.drop();
      }
    }

    it.concurrent.for([...suite.swept])('$command.name by $driver', async (swept, { task }) => {
      const count = await countRequests(place.projectOf(swept), place.serverUrl, swept.driver, swept.command);
      // Spread over the first run; the second is killed anywhere.
      const pairs = Array.from({ length: PAIRS }, (_, index) => {
        const first = 1 + Math.floor(((index + ((seed % 97) + 1) / 98) * count) / PAIRS);
        const second = 1 + ((seed + index * 7919) % count);
        return { first, second };
      });
      const failures = await Promise.all(pairs.map(({ first, second }) => limit(() => crashTwice(swept, first, second))));
      const failed = failures.filter((failure) => failure !== null);
      task.meta.points = { tried: failures.length, converged: failures.length - failed.length };
      expect(failed).toEqual([]);
    });
  });
}
