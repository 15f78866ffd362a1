import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../rig/gate.js';
import { checkInvariants } from '../rig/invariants.js';
import { postgresUrl } from '../rig/postgres.js';
import { createSandboxProject, type Sandbox, type SandboxProject } from '../rig/sandbox.js';
import { newest, pending } from './fixtures.js';

/** CREATE INDEX CONCURRENTLY waits for every transaction that began before it: a reader holds it up for as long as a test likes. */
describe('3 late completion: an index that is being built when the command is killed', { timeout: 120_000 }, () => {
  let project: SandboxProject;
  let sandbox: Sandbox;
  let reader: Client;

  beforeEach(async () => {
    project = await createSandboxProject(pending);
    sandbox = await project.open(await postgresUrl(), 'postgres-schema');
    await sandbox.prepare(['acme']);
    reader = new Client({ connectionString: sandbox.url, application_name: 'reader' });
    await reader.connect();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await reader.query('SELECT FROM pg_class LIMIT 1');
  });
  afterEach(async () => {
    await reader?.end();
    await sandbox?.drop();
    await project?.remove();
  });

  async function countBuilders(): Promise<number> {
    const building = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND query ~ 'INDEX CONCURRENTLY'`;
    return (await sandbox.query(building)).length;
  }

  async function isInvalid(): Promise<boolean> {
    const invalid = `SELECT FROM pg_index WHERE indrelid = 'tenant_acme.accounts'::regclass AND NOT indisvalid`;
    return (await sandbox.query(invalid)).length > 0;
  }

  async function killInTheBuild(): Promise<void> {
    const cli = await sandbox.start(['tenant', 'migrate', 'acme']);
    await until(async () => (await countBuilders()) === 1 && (await isInvalid()), 'the index to be half built');
    cli.kill('SIGKILL');
    await cli.result;
    await sandbox.expireLeases();
  }

  async function assertBuilt(): Promise<void> {
    await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    expect(await sandbox.query('SELECT schema_version FROM tenancy.tenants')).toEqual([{ schema_version: newest }]);
    const indexes = `SELECT indexname FROM pg_indexes WHERE schemaname = 'tenant_acme' AND tablename = 'accounts' ORDER BY 1`;
    expect(await sandbox.query(indexes)).toEqual([
      { indexname: 'accounts_email' },
      { indexname: 'accounts_name' },
      { indexname: 'accounts_pkey' },
    ]);
  }

  it('is built anew where the server gave it up', async () => {
    await killInTheBuild();
    await until(async () => (await countBuilders()) === 0, 'the server to notice');
    expect(await isInvalid()).toBe(true);
    await reader.query('COMMIT');
    const again = await sandbox.run(['tenant', 'migrate', 'acme']);
    expect(again.exitCode, again.stderr).toBe(0);
    await assertBuilt();
  });

  it('is waited for where the server still builds it', async () => {
    await killInTheBuild();
    const again = await sandbox.start(['tenant', 'migrate', 'acme', '--lock-timeout', '30s']);
    await until(
      async () =>
        (await sandbox.query(`SELECT FROM tenancy.tenants WHERE lease_owner IS NOT NULL AND lease_expires_at > now()`)).length === 1,
      'the recovery to begin',
    );
    await reader.query('COMMIT');
    const result = await again.result;
    expect(result.exitCode, result.stderr).toBe(0);
    await assertBuilt();
  });
});

describe('3 late completion: a database that is being created when the command is killed', { timeout: 120_000 }, () => {
  it('is taken up by runs that start at once, and there is one', async () => {
    const project = await createSandboxProject(pending);
    const sandbox = await project.open(await postgresUrl(), 'postgres-database');
    try {
      await sandbox.prepare(['bystander']);
      const proxy = await sandbox.openProxy();
      const killed = await proxy.crash(() => sandbox.startThrough(proxy, ['tenant', 'provision', 'acme']), {
        request: /^CREATE DATABASE/,
        phase: 'during',
      });
      expect(killed).toMatchObject({ isKilled: true, sql: expect.stringContaining('CREATE DATABASE') });
      await sandbox.expireLeases();
      const again = await Promise.all([1, 2, 3].map(() => sandbox.run(['tenant', 'provision', 'acme'])));
      expect(again.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    } finally {
      await sandbox.drop();
      await project.remove();
    }
  });
});
