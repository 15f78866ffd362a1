import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { byDriver, deprovision, migrate, pending, provision } from './fixtures.js';
import { assertEnd, checksumBystanders, countRequests, isWholeSweep, type SweptCommand, seed } from './sweep.js';

const PAIRS = isWholeSweep ? 40 : 6;
const limit = pLimit(10);

describe('2 double crash: a recovery that is killed too is recovered from', { timeout: isWholeSweep ? 1_800_000 : 240_000 }, () => {
  let server: PrivateServer;
  let project: SandboxProject;

  beforeAll(async () => {
    [server, project] = await Promise.all([startPrivateServer('18'), createSandboxProject(pending)]);
    process.stdout.write(`double crashes, seed ${seed}\n`);
  });
  afterAll(() => Promise.all([project?.remove(), server?.stop()]));

  async function crashTwice(driver: SandboxDriver, command: SweptCommand, first: number, second: number): Promise<string | null> {
    const sandbox = await project.open(server.url, driver);
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

  it.concurrent.for(byDriver([provision, migrate, deprovision]))('$command.name by $driver', async ({ driver, command }, { task }) => {
    const count = await countRequests(project, server.url, driver, command);
    // Spread over the first run; the second is killed anywhere.
    const pairs = Array.from({ length: PAIRS }, (_, index) => {
      const first = 1 + Math.floor(((index + ((seed % 97) + 1) / 98) * count) / PAIRS);
      const second = 1 + ((seed + index * 7919) % count);
      return { first, second };
    });
    const failures = await Promise.all(pairs.map(({ first, second }) => limit(() => crashTwice(driver, command, first, second))));
    const failed = failures.filter((failure) => failure !== null);
    task.meta.points = { tried: failures.length, converged: failures.length - failed.length };
    expect(failed).toEqual([]);
  });
});
