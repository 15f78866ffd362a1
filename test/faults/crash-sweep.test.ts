import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type SandboxProject } from '../rig/sandbox.js';
import {
  byDriver,
  complete,
  deprovision,
  firstProvision,
  migrate,
  pending,
  pooled,
  poolProvision,
  provision,
  templated,
  templateProvision,
} from './fixtures.js';
import { isWholeSweep, type SweepResult, type SweptCommand, seed, sweep } from './sweep.js';

/** The lease, and what a takeover may take beyond it. */
const TAKEOVER_MS = 20_000;
/** Starting a process, and doing the work, on a machine that is busy with all the others. */
const WORK_MS = 15_000;

describe('1 crash sweep: a command that was killed anywhere, run once more, ends as if nothing had happened', {
  timeout: isWholeSweep ? 3_600_000 : 480_000,
}, () => {
  const results: [string, SweepResult][] = [];
  let server: PrivateServer;
  let whole: SandboxProject;
  let behind: SandboxProject;
  let copied: SandboxProject;
  let given: SandboxProject;

  beforeAll(async () => {
    [server, whole, behind, copied, given] = await Promise.all([
      startPrivateServer('18'),
      createSandboxProject(complete),
      createSandboxProject(pending),
      createSandboxProject(templated),
      createSandboxProject(pooled),
    ]);
  });
  afterAll(async () => {
    const tried = results.reduce((sum, [, { points }]) => sum + points, 0);
    const converged = results.reduce((sum, [, result]) => sum + result.converged, 0);
    const lines = results.map(([name, { points, converged, slowestTakeoverMs, takeovers }]) => {
      return `${name}: ${converged} of ${points}; slowest of ${takeovers} takeovers ${(slowestTakeoverMs / 1000).toFixed(1)} s`;
    });
    process.stdout.write(`crash sweep, seed ${seed}:\n  ${lines.join('\n  ')}\n  ${tried} points tried, ${converged} converged\n`);
    await Promise.all([whole?.remove(), behind?.remove(), copied?.remove(), given?.remove(), server?.stop()]);
  });

  const swept = [
    { driver: 'postgres-schema' as const, command: firstProvision },
    { driver: 'postgres-database' as const, command: templateProvision },
    ...byDriver([provision, migrate, deprovision, poolProvision]),
  ];
  const projectOf = (command: SweptCommand): SandboxProject => {
    if (command === migrate) return behind;
    if (command === poolProvision) return given;
    return command === templateProvision ? copied : whole;
  };
  it.concurrent.for(swept)('$command.name by $driver', async ({ driver, command }, { task }) => {
    const result = await sweep(projectOf(command), server.url, driver, command);
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
