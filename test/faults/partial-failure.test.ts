import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/invariants.js';
import { postgresUrl } from '../rig/postgres.js';
import { createSandboxProject, type Sandbox, type SandboxProject } from '../rig/sandbox.js';
import { nameTenants, plain } from './fixtures.js';
import { readRun } from './read-run.js';

const tenants = nameTenants(500);
const broken = ['t001', 't013', 't100', 't250', 't251', 't499', 't500'];
/** It takes seconds; a machine that runs everything else besides may take its time. */
const timeoutMs = 150_000;
const sound = tenants.length - broken.length;

/** A fleet of 500 tenants, seven of which can't be migrated. */
describe('14 partial failure: seven broken tenants of five hundred', { timeout: 300_000 }, () => {
  let project: SandboxProject;
  let sandbox: Sandbox;

  beforeAll(async () => {
    project = await createSandboxProject({ migrations: { '0001_accounts.sql': plain['0001_accounts.sql'] ?? '' }, concurrency: 8 });
    sandbox = await project.open(await postgresUrl(), 'postgres-schema');
  });
  afterAll(async () => {
    await sandbox?.drop();
    await project?.remove();
  });

  it('hold up nobody else, are named, and are all that the next run touches', async () => {
    const provisioned = readRun(await sandbox.run(['tenant', 'provision', '-', '--json'], { input: tenants.join('\n'), timeoutMs }));
    expect(provisioned.finished).toMatchObject({ exitCode: 0, counts: { applied: tenants.length } });

    for (const [file, sql] of Object.entries(plain)) await project.project.write(`migrations/${file}`, sql);
    await sandbox.query(broken.map((id) => `CREATE TABLE tenant_${id}.notes (in_the_way text)`).join('; '));
    const first = readRun(await sandbox.run(['tenant', 'migrate', '--all', '--json'], { timeoutMs }));
    expect(first.finished).toMatchObject({ exitCode: 1, counts: { applied: sound, failed: broken.length } });
    expect(first.finished.failed.map(({ tenant }) => tenant).sort()).toEqual(broken);
    for (const { error } of first.finished.failed) expect(error).toMatchObject({ code: 'TENANCY_MIGRATION_FAILED', retryable: false });

    const second = readRun(await sandbox.run(['tenant', 'migrate', '--all', '--json'], { timeoutMs }));
    expect(second.finished).toMatchObject({ exitCode: 1, counts: { applied: 0, failed: broken.length, 'up-to-date': sound } });
    expect(
      second
        .of('tenant.started')
        .map(({ tenant }) => tenant)
        .sort(),
    ).toEqual(broken);

    await sandbox.query(broken.map((id) => `DROP TABLE tenant_${id}.notes`).join('; '));
    const third = readRun(await sandbox.run(['run', 'retry', second.id, '--json']));
    expect(third.finished).toMatchObject({ exitCode: 0, counts: { applied: broken.length } });
    expect(
      third
        .of('tenant.started')
        .map(({ tenant }) => tenant)
        .sort(),
    ).toEqual(broken);
    const last = readRun(await sandbox.run(['tenant', 'migrate', '--all', '--json'], { timeoutMs }));
    expect(last.finished).toMatchObject({ exitCode: 0, counts: { 'up-to-date': tenants.length } });
    await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
  });
});
