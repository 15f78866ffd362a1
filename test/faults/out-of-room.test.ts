import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../rig/cli.js';
import { checkInvariants } from '../rig/invariants.js';
import { createTestDatabase, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { type PrivatePostgres, startPrivateServer } from '../rig/private-server.js';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';
import { nameTenants } from './fixtures.js';
import { readRun } from './read-run.js';

const MB = 1024 * 1024;

const migrations: Readonly<Record<string, string>> = {
  '0001_counts.sql': `CREATE TABLE counts (name text NOT NULL);\nINSERT INTO counts VALUES ('0001_counts');\n`,
};

async function queryOnce(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'rig' });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

interface Fleet {
  readonly registry: TestDatabase;
  readonly project: TestProject;
  run(args: readonly string[]): Promise<CliResult>;
}

/** Unless it is said where, the registry is elsewhere: it has room. */
async function createFleet(clusterUrl: string, registryUrl?: string): Promise<Fleet> {
  const registry = await createTestDatabase();
  const config = `export default {
    registry: { url: ${JSON.stringify(registryUrl ?? registry.url)} },
    clusters: { main: { url: ${JSON.stringify(clusterUrl)}, concurrency: 2 } },
    placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
    migrations: { directory: './migrations' },
  };`;
  const project = await createProject({ migrations, config });
  return { registry, project, run: (args) => project.run(args, { timeoutMs: 120_000 }) };
}

async function removeFleet(fleet: Fleet | undefined): Promise<void> {
  await fleet?.project.remove();
  await fleet?.registry.drop();
}

describeOn('tmpfs', () => {
  describe('15 disk full', { timeout: 180_000 }, () => {
    let server: PrivatePostgres;
    const fleets: Fleet[] = [];
    beforeAll(async () => {
      server = await startPrivateServer('18', { tightBytes: 80 * MB });
      await queryOnce(server.url, `CREATE TABLESPACE tight LOCATION '${server.tightDirectory}'`);
    }, 60_000);
    afterAll(async () => {
      for (const fleet of fleets) await removeFleet(fleet);
      await server?.stop();
    });

    /** A database with about thirty megabytes of room, and more than as much again that can be made. */
    async function createTight(name: string): Promise<string> {
      await queryOnce(server.url, `CREATE DATABASE ${name} TABLESPACE tight`);
      const url = withDatabase(server.url, name);
      await queryOnce(url, `CREATE TABLE public.ballast AS SELECT repeat('x', 900) AS filling FROM generate_series(1, 43000)`);
      return url;
    }

    it('in a migrate is no success: it says so, starts no more tenants, and is gone on with once there is room', async () => {
      const url = await createTight('tight');
      const fleet = await createFleet(url);
      fleets.push(fleet);
      const tenants = nameTenants(12);
      expect(await fleet.run(['tenant', 'provision', ...tenants])).toMatchObject({ exitCode: 0 });
      // About five megabytes each: there is room for a few.
      await fleet.project.write(
        'migrations/0002_rows.sql',
        `CREATE TABLE rows AS SELECT repeat('x', 900) AS filling FROM generate_series(1, 5000);\nINSERT INTO counts VALUES ('0002_rows');\n`,
      );
      const args = ['tenant', 'migrate', '--all', '--json'];
      const first = readRun(await fleet.run(args));
      const { counts, failed, stopped } = first.finished;
      expect(first.finished.exitCode).toBe(1);
      expect(counts.applied).toBeGreaterThan(0);
      expect(counts.failed).toBeGreaterThan(0);
      expect(counts['not-started']).toBeGreaterThan(0);
      expect(counts.applied + counts.failed + counts['not-started']).toBe(tenants.length);
      expect(stopped).toMatchObject({ reason: 'resources' });
      for (const { error } of failed) {
        expect(error).toMatchObject({
          message: expect.stringMatching(/No space left on device/),
          hint: expect.stringContaining('give the server more'),
        });
      }
      await checkInvariants({ adminUrl: url, registryUrl: fleet.registry.url, unfinished: failed.map(({ tenant }) => tenant) });

      // It is no better: nothing that was done is done again, and nothing is called done.
      const second = readRun(await fleet.run(args));
      expect(second.finished).toMatchObject({ exitCode: 1, counts: { 'up-to-date': counts.applied } });
      await queryOnce(url, 'DROP TABLE public.ballast');
      const third = readRun(await fleet.run(args));
      expect(third.finished).toMatchObject({ exitCode: 0, counts: { failed: 0 } });
      await checkInvariants({ adminUrl: url, registryUrl: fleet.registry.url });
      await queryOnce(server.url, 'DROP DATABASE tight WITH (FORCE)');
    });

    it('where the registry is, too, is no success either, and nothing is lost', async () => {
      const url = await createTight('shared');
      const fleet = await createFleet(url, url);
      fleets.push(fleet);
      expect(await fleet.run(['tenant', 'provision', ...nameTenants(4)])).toMatchObject({ exitCode: 0 });
      await queryOnce(url, `CREATE TABLE public.more (filling text)`);
      // Until nothing more goes in.
      for (const rows of [2_000, 100, 8]) {
        const fill = `INSERT INTO public.more SELECT repeat('x', 900) FROM generate_series(1, ${rows})`;
        for (let isFull = false; !isFull; ) {
          isFull = await queryOnce(url, fill).then(
            () => false,
            () => true,
          );
        }
      }
      await fleet.project.write(
        'migrations/0002_orders.sql',
        `CREATE TABLE orders AS SELECT repeat('x', 900) AS filling FROM generate_series(1, 100);\nINSERT INTO counts VALUES ('0002_orders');\n`,
      );
      const args = ['tenant', 'migrate', '--all', '--json'];
      const full = await fleet.run(args);
      expect([1, 2, 6]).toContain(full.exitCode);
      expect(`${full.stdout}${full.stderr}`).toMatch(/No space left on device/);
      await queryOnce(url, 'DROP TABLE public.ballast, public.more');
      expect(readRun(await fleet.run(args)).finished).toMatchObject({ exitCode: 0, counts: { failed: 0 } });
      await checkInvariants({ adminUrl: url, registryUrl: url });
    });
  });
});

describe('15 lock table full', { timeout: 240_000 }, () => {
  let server: PrivatePostgres;
  let fleet: Fleet;
  beforeAll(async () => {
    // A few hundred places for all sessions together.
    const settings = { max_locks_per_transaction: '10', max_connections: '20', max_prepared_transactions: '0' };
    server = await startPrivateServer('18', { settings });
    fleet = await createFleet(server.url);
  }, 60_000);
  afterAll(async () => {
    await removeFleet(fleet);
    await server?.stop();
  });

  it('in a migrate is no success, and a drop of 3,000 tables needs no more of it than there is', async () => {
    expect(await fleet.run(['tenant', 'provision', 'large', 'small'])).toMatchObject({ exitCode: 0 });
    await queryOnce(
      server.url,
      `DO $$ BEGIN FOR i IN 1..3000 LOOP
         EXECUTE format('CREATE TABLE tenant_large.t%s (id int PRIMARY KEY, name text)', i);
         IF i % 20 = 0 THEN COMMIT; END IF;
       END LOOP; END $$`,
    );
    await fleet.project.write(
      'migrations/0002_many.sql',
      `DO $$ BEGIN FOR i IN 1..3000 LOOP EXECUTE format('CREATE TABLE m%s (id int PRIMARY KEY)', i); END LOOP; END $$;\nINSERT INTO counts VALUES ('0002_many');\n`,
    );
    const migrated = readRun(await fleet.run(['tenant', 'migrate', 'small', '--json']));
    expect(migrated.finished).toMatchObject({ exitCode: 1, counts: { failed: 1 } });
    expect(migrated.finished.failed[0]?.error?.message).toMatch(/out of shared memory/);
    // Nothing of it is there.
    await checkInvariants({ adminUrl: server.url, registryUrl: fleet.registry.url });

    const dropped = await fleet.run(['tenant', 'deprovision', 'large', '--skip-backup', '--confirm', 'large', '--json']);
    expect(readRun(dropped).finished, dropped.stdout).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
    await checkInvariants({ adminUrl: server.url, registryUrl: fleet.registry.url });
  });
});
