import process from 'node:process';
import { afterAll, describe, expect, it } from 'vitest';
import type { KillPoint } from '../rig/crash.js';
import { arrange, assertEnd, checksumBystanders, choosePoints, isWholeSweep, limit, sampleOf, seed } from './sweep.js';
import { type FaultSuite, type Swept, usePlace } from './use-place.js';

/** One request of so many: the crash sweep tries each of them, and what goes on after a cut is a small part of what does after a kill. */
const ONE_OF = isWholeSweep ? 6 : 24;
/** What a command may say of itself that couldn't go on: partly failed, locked, unreachable. */
const FAILURES: ReadonlySet<number> = new Set([1, 5, 6]);
const REFUSED = 4;

/**
 * A crash sweep without a crash. The process that goes on tries again by itself, with what it knows: there no other process finds the tenant as the registry
 * has it, and what it says of its end has to be true.
 */
export function describeCutSweep(suite: FaultSuite): void {
  describe('10 cut anywhere: a command that loses one request or answer with its connection comes through, or says that it did not', {
    timeout: isWholeSweep ? 3_600_000 : 480_000,
  }, () => {
    const place = usePlace(suite);
    const lines: string[] = [];
    afterAll(() => void process.stdout.write(`cut sweep, seed ${seed}:\n  ${lines.join('\n  ')}\n`));

    it.concurrent.for(sampleOf(suite.swept, 3))('$command.name by $driver', async (swept, { task }) => {
      const { driver, command } = swept;
      const points = await choosePoints(place.projectOf(swept), place.serverUrl, driver, command, { isWhole: false, oneOf: ONE_OF });
      const ends = await Promise.all(points.filter(({ phase }) => phase !== 'during').map((point) => limit(() => cutAt(swept, point))));
      const tried = ends.filter((end) => end !== null);
      const failures = tried.filter(({ failure }) => failure !== null).map(({ failure }) => failure);
      const byItself = tried.filter(({ exitCode }) => exitCode === 0).length;
      lines.push(`${command.name} by ${driver}: ${tried.length} cuts, ${byItself} of them without a second run`);
      task.meta.points = { tried: tried.length, converged: tried.length - failures.length };
      expect(failures).toEqual([]);
      expect(tried.length).toBeGreaterThan(0);
    });

    /** Null where the command was over before it got there. */
    async function cutAt(swept: Swept, point: KillPoint): Promise<{ readonly exitCode: number; readonly failure: string | null } | null> {
      const { driver, command } = swept;
      const sandbox = await place.projectOf(swept).open(place.serverUrl, driver);
      let what = `${command.name} by ${driver}, cut ${point.phase} request ${point.request}`;
      let exitCode = -1;
      try {
        await arrange(sandbox, command);
        const proxy = await sandbox.openProxy();
        const bystanders = await checksumBystanders(sandbox, command);
        const cut = await proxy.cut(() => sandbox.startThrough(proxy, command.args), point);
        if (cut.sql === null && cut.exitCode === 0) return null;
        ({ exitCode } = cut);
        what += ` (${cut.sql?.replace(/\s+/g, ' ').trim().slice(0, 100)})`;
        if (exitCode !== 0) {
          if (!FAILURES.has(exitCode)) throw new Error(`it ended with ${exitCode}:\n${cut.output}`);
          const again = await sandbox.run(command.args);
          if (again.exitCode !== 0 && !(command.isRefusedWhenDone && again.exitCode === REFUSED))
            throw new Error(
              `it ended with ${exitCode}:\n${cut.output}and once more with ${again.exitCode}:\n${again.stdout}${again.stderr}`,
            );
        }
        await assertEnd(sandbox, command, bystanders);
        return { exitCode, failure: null };
      } catch (error) {
        return { exitCode, failure: `${what}: ${error instanceof Error ? error.message : String(error)}` };
      } finally {
        await sandbox.drop();
      }
    }
  });
}
