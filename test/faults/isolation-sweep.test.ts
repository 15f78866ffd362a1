import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type SandboxProject } from '../rig/sandbox.js';
import { isolated, isolatedCommands } from './fixtures.js';
import { isWholeSweep, seed, sweep } from './sweep.js';

describe('1 crash sweep with logins: whoever was killed while a login was made, rotated or dropped, ends as if nothing had happened', {
  timeout: isWholeSweep ? 3_600_000 : 480_000,
}, () => {
  const lines: string[] = [];
  let server: PrivateServer;
  let project: SandboxProject;
  beforeAll(async () => {
    [server, project] = await Promise.all([startPrivateServer('18'), createSandboxProject(isolated)]);
  });
  afterAll(async () => {
    process.stdout.write(`crash sweep with logins, seed ${seed}:\n  ${lines.join('\n  ')}\n`);
    await Promise.all([project?.remove(), server?.stop()]);
  });

  it.concurrent.for([
    ...isolatedCommands.map((command) => ({ driver: 'postgres-schema' as const, command })),
    ...isolatedCommands.slice(0, 1).map((command) => ({ driver: 'postgres-database' as const, command })),
  ])('$command.name by $driver', async ({ driver, command }, { task }) => {
    const result = await sweep(project, server.url, driver, command);
    lines.push(`${command.name} by ${driver}: ${result.converged} of ${result.points}`);
    task.meta.points = { tried: result.points, converged: result.converged };
    expect(result.failures).toEqual([]);
    expect(result.points).toBeGreaterThan(3);
  });
});
