import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StartedCli } from '../rig/cli.js';
import { createSqlGate, type SqlGate } from '../rig/gate.js';
import { checkInvariants } from '../rig/invariants.js';
import { postgresUrl } from '../rig/postgres.js';
import { createSandboxProject, type Sandbox, type SandboxProject } from '../rig/sandbox.js';
import { nameTenants, plain } from './fixtures.js';
import { readRun } from './read-run.js';

const TENANTS = 12;
const AT_ONCE = 3;

describe('Ctrl-C in the middle of a fleet', () => {
  let project: SandboxProject;
  let sandbox: Sandbox;
  let gate: SqlGate;
  let cli: StartedCli;

  beforeEach(async () => {
    project = await createSandboxProject({ migrations: plain, before: ['0001_accounts.sql'], concurrency: AT_ONCE });
    sandbox = await project.open(await postgresUrl(), 'postgres-schema');
    await sandbox.prepare(nameTenants(TENANTS));
    gate = await createSqlGate(sandbox.url);
    await project.project.write('migrations/0002_orders.sql', `${plain['0002_orders.sql']}${gate.sql}\n`);
    cli = await sandbox.start(['tenant', 'migrate', '--all', '--json']);
    await gate.waiting(AT_ONCE);
  });
  afterEach(async () => {
    await sandbox?.drop();
    await project?.remove();
  });

  async function retry(run: string, left: number): Promise<void> {
    const again = readRun(await sandbox.run(['run', 'retry', run, '--json']));
    expect(again.finished).toMatchObject({ exitCode: 0, counts: { applied: left } });
    await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    const behind = await sandbox.query(`SELECT id FROM tenancy.tenants WHERE schema_version <> '0003_notes' OR last_error IS NOT NULL`);
    expect(behind).toEqual([]);
  }

  it('once lets those in flight end and starts no other', async () => {
    const draining = sawInStdout(cli, '"run.draining"');
    cli.kill('SIGINT');
    await draining;
    await gate.open();
    const run = readRun(await cli.result);
    expect(run.finished).toMatchObject({ exitCode: 130, counts: { applied: AT_ONCE, 'not-started': TENANTS - AT_ONCE, failed: 0 } });
    expect(run.of('run.draining')).toMatchObject([{ reason: 'interrupted', inFlight: AT_ONCE, notStarted: TENANTS - AT_ONCE }]);
    await retry(run.id, TENANTS - AT_ONCE);
  });

  it('twice stops those in flight too, and a retry of the run finishes all', async () => {
    const draining = sawInStdout(cli, '"run.draining"');
    cli.kill('SIGINT');
    await draining;
    await cli.killAgain('SIGINT');
    const run = readRun(await cli.result);
    expect(run.finished).toMatchObject({ exitCode: 130, counts: { applied: 0, cancelled: AT_ONCE, 'not-started': TENANTS - AT_ONCE } });
    expect(await sandbox.query(`SELECT id FROM tenancy.tenants WHERE lease_owner IS NOT NULL`)).toEqual([]);
    await gate.open();
    await retry(run.id, TENANTS);
  });
});

function sawInStdout(cli: StartedCli, text: string): Promise<void> {
  let seen = '';
  return new Promise((resolve, reject) => {
    cli.stdout.on('data', (chunk) => {
      seen += String(chunk);
      if (seen.includes(text)) resolve();
    });
    cli.stdout.on('end', () => reject(new Error(`it ended without ${text}: ${seen}`)));
  });
}
