import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import type { CliResult } from '../rig/cli.js';
import { until } from '../rig/gate.js';
import { createTestMysql, queryMysql, type TestMysql } from '../rig/mysql.js';
import { withDatabase } from '../rig/postgres.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import type { PrivateServer } from '../rig/private-server.js';
import { createProject, type TestProject } from '../rig/project.js';
import { suiteOn } from '../rig/require.js';
import { nameTenants } from './fixtures.js';
import { readRun } from './read-run.js';

/** Whichever place it is that has no room: a table, or the file for a new one. */
const FULL = /is full|No more room in record file/;
const MB = 1024 * 1024;
const MIGRATE = ['tenant', 'migrate', '--all', '--json'];

const migrations: Readonly<Record<string, string>> = {
  '0001_counts.sql': `CREATE TABLE counts (name varchar(100) NOT NULL);\nINSERT INTO counts VALUES ('0001_counts');\n`,
};

/** So many rows of about a kilobyte, as an expression to select from. */
const rows = (count: number): string => `SELECT repeat('x', 900) AS filling FROM seq_1_to_${count}`;

interface Fleet {
  readonly project: TestProject;
  run(args: readonly string[]): Promise<CliResult>;
}

async function createFleet(clusterUrl: string, registryUrl: string): Promise<Fleet> {
  const config = `export default {
    registry: { url: ${JSON.stringify(registryUrl)} },
    clusters: { main: { url: ${JSON.stringify(clusterUrl)}, concurrency: 2 } },
    placement: ({ id }) => ({ cluster: 'main', driver: 'mysql-database', name: 'tenant_' + id }),
    migrations: { directory: './migrations' },
  };`;
  const project = await createProject({ migrations, config });
  return { project, run: (args) => project.run(args, { timeoutMs: 120_000 }) };
}

// The registry is elsewhere: filled to its last page, MariaDB 10.11 may end itself.
suiteOn('mariadb')('15 disk full: MariaDB, whose tables share a file that grows no further', { timeout: 180_000 }, () => {
  let server: PrivateServer;
  let elsewhere: TestMysql;
  let fleet: Fleet;
  beforeAll(async () => {
    server = await startPrivateMariadb(
      { innodb_file_per_table: '0', innodb_data_file_path: 'ibdata1:12M:autoextend:max:80M' },
      // Beside that file, so that what gives back room needs none of it.
      { innodb_undo_tablespaces: '2' },
    );
    elsewhere = await createTestMysql();
  }, 60_000);
  afterAll(async () => {
    await fleet?.project.remove();
    await elsewhere?.drop();
    await server?.stop();
  });

  const inBallast = (sql: string): Promise<unknown> => queryMysql(withDatabase(server.url, 'ballast'), sql);

  const check = (registryUrl: string, unfinished: readonly string[] = []): Promise<void> =>
    checkInvariants({ adminUrl: server.url, registryUrl, homePrefix: 'tenant_', unfinished });

  /** Leaves about thirty megabytes. */
  async function fill(): Promise<void> {
    await queryMysql(server.url, 'CREATE DATABASE ballast');
    await inBallast(`CREATE TABLE ballast AS ${rows(30_000)}`);
  }

  /** What is dropped is given back by and by. */
  async function makeRoom(): Promise<void> {
    await queryMysql(server.url, 'DROP DATABASE ballast');
    const free = 'SELECT MAX(DATA_FREE) AS free FROM information_schema.TABLES WHERE ENGINE = ?';
    await until(async () => Number((await queryMysql(server.url, free, ['InnoDB']))[0]?.['free']) > 30 * MB, 'room to be made', 60_000);
  }

  it('in a migrate is no success: it says so, starts no more tenants, and is gone on with once there is room', async () => {
    fleet = await createFleet(server.url, elsewhere.url);
    const tenants = nameTenants(12);
    expect(await fleet.run(['tenant', 'provision', ...tenants])).toMatchObject({ exitCode: 0 });
    await fill();
    // About four megabytes each: there is room for a few.
    await fleet.project.write(
      'migrations/0002_rows.sql',
      `CREATE TABLE filled AS ${rows(3_500)};\nINSERT INTO counts VALUES ('0002_rows');\n`,
    );
    const first = readRun(await fleet.run(MIGRATE));
    const { counts, failed, stopped } = first.finished;
    expect([first.finished.exitCode, stopped]).toEqual([1, expect.objectContaining({ reason: 'resources' })]);
    for (const outcome of ['applied', 'failed', 'not-started'] as const) expect(counts[outcome]).toBeGreaterThan(0);
    expect(counts.applied + counts.failed + counts['not-started']).toBe(tenants.length);
    for (const { error } of failed)
      expect(error).toMatchObject({ message: expect.stringMatching(FULL), hint: expect.stringContaining('give the server more') });
    const unfinished = failed.map(({ tenant }) => tenant);
    await check(elsewhere.url, unfinished);

    // It is no better: nothing that was done is done again, and nothing is called done.
    const second = readRun(await fleet.run(MIGRATE));
    expect(second.finished).toMatchObject({ exitCode: 1, counts: { 'up-to-date': counts.applied } });
    await makeRoom();
    const third = readRun(await fleet.run(MIGRATE));
    expect(third.finished, JSON.stringify(third.finished.failed)).toMatchObject({ exitCode: 0, counts: { failed: 0 } });
    await check(elsewhere.url);
  });
});
