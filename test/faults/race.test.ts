import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type SandboxProject } from '../rig/sandbox.js';
import { byDriver, deprovision, firstProvision, migrate, pending, provision } from './fixtures.js';
import { readRun } from './read-run.js';
import { assertEnd, checksumBystanders } from './sweep.js';

const RACERS = 8;

describe('7 race: of eight processes that do the same to one tenant, one does it', { timeout: 240_000 }, () => {
  let server: PrivateServer;
  let project: SandboxProject;

  beforeAll(async () => {
    [server, project] = await Promise.all([startPrivateServer('18'), createSandboxProject(pending)]);
  });
  afterAll(() => Promise.all([project?.remove(), server?.stop()]));

  it.each(byDriver([firstProvision, provision, migrate, deprovision]))('$command.name by $driver', async ({ driver, command }) => {
    const sandbox = await project.open(server.url, driver);
    try {
      await sandbox.prepare(command.prepared);
      const bystanders = await checksumBystanders(sandbox, command);
      const results = await Promise.all(Array.from({ length: RACERS }, () => sandbox.run([...command.args, '--json'])));
      const runs = results.map((result) => readRun(result).finished);
      const told = JSON.stringify(runs, null, 1);
      expect(
        runs.filter(({ counts }) => counts.applied === 1),
        told,
      ).toHaveLength(1);
      for (const { exitCode, counts } of runs) {
        if (exitCode !== 5) expect({ exitCode, did: counts.applied + counts['up-to-date'] }, told).toEqual({ exitCode: 0, did: 1 });
      }
      await assertEnd(sandbox, command, bystanders);
    } finally {
      await sandbox.drop();
    }
  });
});
