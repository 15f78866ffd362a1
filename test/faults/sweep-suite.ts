import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSandboxProject, type SandboxDriver, type SandboxProject, type SandboxProjectOptions } from '../rig/sandbox.js';
import { isWholeSweep, type SweepResult, type SweptCommand, seed, sweep } from './sweep.js';

/** The lease, and what a takeover may take beyond it. */
const TAKEOVER_MS = 20_000;
/** Starting a process, and doing the work, on a machine that is busy with all the others. */
const WORK_MS = 15_000;

export interface CrashSweepSuite {
  /** One for this suite alone. */
  startServer(): Promise<{ readonly url: string; stop(): Promise<void> }>;
  readonly swept: readonly {
    readonly driver: SandboxDriver;
    readonly command: SweptCommand;
    readonly project: SandboxProjectOptions;
  }[];
}

/** The crash sweep over one engine, and the times of the takeovers in it. */
export function describeCrashSweep({ startServer, swept }: CrashSweepSuite): void {
  describe('1 crash sweep: a command that was killed anywhere, run once more, ends as if nothing had happened', {
    timeout: isWholeSweep ? 3_600_000 : 480_000,
  }, () => {
    const results: [string, SweepResult][] = [];
    const projects = new Map<SandboxProjectOptions, SandboxProject>();
    let server: { readonly url: string; stop(): Promise<void> };

    beforeAll(async () => {
      server = await startServer();
      for (const { project } of swept) if (!projects.has(project)) projects.set(project, await createSandboxProject(project));
    });
    afterAll(async () => {
      const tried = results.reduce((sum, [, { points }]) => sum + points, 0);
      const converged = results.reduce((sum, [, result]) => sum + result.converged, 0);
      const lines = results.map(([name, { points, converged, slowestTakeoverMs, takeovers }]) => {
        return `${name}: ${converged} of ${points}; slowest of ${takeovers} takeovers ${(slowestTakeoverMs / 1000).toFixed(1)} s`;
      });
      process.stdout.write(`crash sweep, seed ${seed}:\n  ${lines.join('\n  ')}\n  ${tried} points tried, ${converged} converged\n`);
      await Promise.all([...projects.values()].map((project) => project.remove()));
      await server?.stop();
    });

    it.concurrent.for([...swept])('$command.name by $driver', async ({ driver, command, project }, { task }) => {
      const opened = projects.get(project);
      if (opened === undefined) throw new Error('there is no project');
      const result = await sweep(opened, server.url, driver, command);
      results.push([`${command.name} by ${driver}`, result]);
      task.meta.points = { tried: result.points, converged: result.converged };
      expect(result.failures).toEqual([]);
      expect(result.points).toBeGreaterThan(5);
    });

    describe('5 no manual unlock', () => {
      it('the lease of a killed command is taken over within its time and 5 s', ({ task }) => {
        const takeovers = results.reduce((sum, [, result]) => sum + result.takeovers, 0);
        task.meta.points = { tried: takeovers, converged: takeovers };
        expect(takeovers).toBeGreaterThan(0);
        for (const [name, { slowestTakeoverMs }] of results) expect(slowestTakeoverMs, name).toBeLessThan(TAKEOVER_MS + WORK_MS);
      });
    });
  });
}
