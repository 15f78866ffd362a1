import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants, checksumTenants } from '../rig/invariants.js';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { createSandboxProject, type SandboxProject } from '../rig/sandbox.js';
import { newest, pending } from './fixtures.js';
import { readRun } from './read-run.js';

const RACERS = 8;

describe('of eight processes that do the same to one tenant, one does it', { timeout: 240_000 }, () => {
  let server: PrivateServer;
  let project: SandboxProject;

  beforeAll(async () => {
    [server, project] = await Promise.all([startPrivateServer('18'), createSandboxProject(pending)]);
  });
  afterAll(() => Promise.all([project?.remove(), server?.stop()]));

  const commands = [
    { name: 'provision', args: ['tenant', 'provision', 'acme'], prepared: ['bystander'], ends: { status: 'active', schema_version: newest } },
    { name: 'the first provision', args: ['tenant', 'provision', 'acme'], prepared: [], ends: { status: 'active', schema_version: newest } },
    { name: 'migrate', args: ['tenant', 'migrate', 'acme'], prepared: ['bystander', 'acme'], ends: { status: 'active', schema_version: newest } },
    {
      name: 'deprovision',
      args: ['tenant', 'deprovision', 'acme', '--skip-backup', '--confirm', 'acme'],
      prepared: ['bystander', 'acme'],
      ends: { status: 'deprovisioned', schema_version: null },
    },
  ];
  const races = (['postgres-schema', 'postgres-database'] as const).flatMap((driver) => commands.map((command) => ({ driver, ...command })));

  it.each(races)('$name by $driver', async ({ driver, args, prepared, ends }) => {
    const sandbox = await project.open(server.url, driver);
    try {
      await sandbox.prepare(prepared);
      const bystanders = prepared.length === 0 ? new Map() : await checksumTenants(sandbox.url, sandbox.url, ['bystander']);
      const results = await Promise.all(Array.from({ length: RACERS }, () => sandbox.run([...args, '--json'])));
      const runs = results.map((result) => readRun(result).finished);
      const told = JSON.stringify(runs, null, 1);
      expect(runs.filter(({ counts }) => counts.applied === 1), told).toHaveLength(1);
      for (const { exitCode, counts } of runs) {
        if (exitCode !== 5) expect({ exitCode, did: counts.applied + counts['up-to-date'] }, told).toEqual({ exitCode: 0, did: 1 });
      }
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, bystanders });
      expect(await sandbox.query(`SELECT status, schema_version FROM tenancy.tenants WHERE id = 'acme'`)).toEqual([ends]);
    } finally {
      await sandbox.drop();
    }
  });
});
