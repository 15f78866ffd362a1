import { afterAll, beforeAll, describe, it } from 'vitest';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type SandboxProject } from '../rig/sandbox.js';
import { byDriver, deprovision, firstProvision, migrate, pending, provision } from './fixtures.js';
import { race } from './race.js';
import { assertEnd, checksumBystanders } from './sweep.js';

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
      await race(sandbox, command);
      await assertEnd(sandbox, command, bystanders);
    } finally {
      await sandbox.drop();
    }
  });
});
