import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isInShard } from '../../src/util/shard.js';
import { ensureBuilt } from '../rig/cli.js';
import { createSqlGate, until } from '../rig/gate.js';
import { readJunit } from '../rig/junit.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { createProject, type TestProject } from '../rig/project.js';
import {
  type Ci,
  createCi,
  type JobResult,
  type RunningScript,
  readGithubWorkflow,
  readGitlabPipeline,
  runGithubJob,
  runGitlabJob,
} from './run-pipeline.js';

const EARLY = ['north', 'south'];
const LATER = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark'];
/** Of each shard, as the workflow says. */
const CONCURRENCY = 4;
const EVERYBODY = [...EARLY, ...LATER].sort();

/** The page's config, as far as it matters for a pipeline. */
const CONFIG = `import { defineConfig } from 'tenancy-cli';
export default defineConfig({
  clusters: { main: { url: () => process.env.MAIN_URL ?? '', concurrency: 8 } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  migrations: { directory: './migrations' },
});
`;

describe('the workflow that docs/fleet.md shows', { timeout: 120_000 }, () => {
  let database: TestDatabase;
  let project: TestProject;
  let ci: Ci;
  const checkouts: string[] = [];

  beforeAll(ensureBuilt);

  beforeEach(async () => {
    database = await createTestDatabase();
    const manifest = { name: 'project', private: true, type: 'module', scripts: { prepare: 'true' } };
    project = await createProject({ config: CONFIG, files: { 'package.json': JSON.stringify(manifest) } });
    ci = await createCi(project.directory, { MAIN_URL: database.url, MAIN_READ_ONLY_URL: await createReader() });
    for (const args of [[...EARLY, '--label', 'ring=early'], LATER]) {
      const { exitCode, stderr } = await tenancy('tenant', 'provision', ...args);
      expect(exitCode, stderr).toBe(0);
    }
  });

  afterEach(async () => {
    const folders = checkouts.splice(0).map((directory) => rm(directory, { recursive: true, force: true }));
    await Promise.all([...folders, ci.remove(), project.remove()]);
    await database.drop();
  });

  const tenancy = (...args: string[]) => project.run(args, { env: { MAIN_URL: database.url } });
  /** The tenants that have the table. */
  const having = async (table: string): Promise<readonly string[]> => {
    const rows = await database.query<{ schema: string }>('SELECT schemaname AS schema FROM pg_tables WHERE tablename = $1', [table]);
    return rows.map(({ schema }) => schema.replace('tenant_', '')).sort();
  };
  const write = (name: string, sql: string): Promise<void> => project.write(`migrations/${name}`, sql);

  /** A login that may read everything, and write nothing. */
  async function createReader(): Promise<string> {
    const url = new URL(database.url);
    [url.username, url.password] = [`${database.name}_reader`, randomBytes(8).toString('hex')];
    await database.query(`CREATE ROLE ${url.username} LOGIN PASSWORD '${url.password}' IN ROLE pg_read_all_data`);
    return url.href;
  }

  /** Both systems, as the one set of tests needs them. */
  async function load(system: 'GitHub' | 'GitLab'): Promise<(name: string) => Promise<readonly JobResult[]>> {
    const noted = (results: readonly JobResult[]): readonly JobResult[] => {
      checkouts.push(...results.map(({ directory }) => directory));
      return results;
    };
    if (system === 'GitHub') {
      const { jobs } = await readGithubWorkflow();
      return async (name) => noted(await runGithubJob(ci, pick(jobs, name)));
    }
    const pipeline = await readGitlabPipeline();
    return async (name) => noted(await runGitlabJob(ci, name, pick(pipeline.jobs, name), pipeline.default.before_script));
  }

  describe.each(['GitHub', 'GitLab'] as const)('for %s', (system) => {
    test('says in a pull request what is pending, with a login that only reads, and fails for a file that was edited', async () => {
      const { MAIN_READ_ONLY_URL = '' } = ci.secrets;
      ci = { ...ci, secrets: { MAIN_READ_ONLY_URL } };
      const run = await load(system);
      const whenPending = system === 'GitHub' ? 0 : await allowedInPlan();
      expect(codes(await run('plan'))).toEqual([0]);
      await write('0002_notes.sql', 'CREATE TABLE notes (id int);\n');
      const [plan] = await run('plan');
      expect(plan).toMatchObject({ exitCode: whenPending, output: expect.stringContaining('0002_notes') });
      if (system === 'GitHub') expect(await readFile(path.join(plan?.directory ?? '', 'summary.md'), 'utf8')).toContain('0002_notes');
      expect(await having('notes')).toEqual([]);
      await write('0001_accounts.sql', 'CREATE TABLE accounts (id int);\n');
      expect(await run('plan')).toMatchObject([{ exitCode: 1, output: expect.stringContaining('edited after it was applied') }]);
    });

    test('migrates the early ones, then the rest in shards, and makes one report', async () => {
      const run = await load(system);
      await write('0002_notes.sql', 'CREATE TABLE notes (id int);\n');
      expect(codes(await run('canary'))).toEqual([0]);
      expect(await having('notes')).toEqual(EARLY);
      expect(codes(await run('migrate'))).toEqual([0, 0, 0, 0]);
      expect(await having('notes')).toEqual(EVERYBODY);
      expect((await tenancy('status', '--exit-code')).exitCode).toBe(0);
      const [report] = await run('report');
      expect(report).toMatchObject({ exitCode: 0, output: expect.stringContaining(`${LATER.length} migrated`) });
      expect(await testcases(report)).toEqual(LATER.map((id) => [id, 'passed']).sort());
    });

    test('names who failed in whichever shard, and takes up just that when it is run again', async () => {
      const run = await load(system);
      await database.query("INSERT INTO tenant_hooli.accounts (name) VALUES ('Imported'), ('Imported')");
      await write('0002_names_differ.sql', 'CREATE UNIQUE INDEX ON accounts (name);\nCREATE TABLE notes (id int);\n');
      expect(codes(await run('canary'))).toEqual([0]);
      expect(codes(await run('migrate')).sort()).toEqual([0, 0, 0, 1]);
      const [report] = await run('report');
      expect(report).toMatchObject({ exitCode: 1, output: expect.stringContaining('hooli') });
      expect((await testcases(report)).filter(([, result]) => result === 'failure')).toEqual([['hooli', 'failure']]);
      expect(await having('notes')).toEqual(EVERYBODY.filter((id) => id !== 'hooli'));

      await database.query('DELETE FROM tenant_hooli.accounts');
      expect(codes(await run('migrate'))).toEqual([0, 0, 0, 0]);
      const [again] = await run('report');
      expect([again?.exitCode, await testcases(again)]).toEqual([0, [['hooli', 'passed']]]);
    });
  });

  test('for GitHub finishes what is in flight where its jobs are cancelled, and the next deploy does what is left', async () => {
    const gate = await createSqlGate(database.url);
    try {
      await write('0002_gated.sql', `${gate.sql}\nCREATE TABLE notes (id int);\n`);
      const sizes = [1, 2, 3, 4].map((index) => EVERYBODY.filter((id) => isInShard(id, { index, of: 4 })).length);
      const inFlight = sizes.map((size) => Math.min(size, CONCURRENCY)).reduce((sum, size) => sum + size);
      const scripts: RunningScript[] = [];
      ci = { ...ci, onScript: (script) => scripts.push(script) };
      const run = await load('GitHub');
      const cancelled = run('migrate');
      await gate.waiting(inFlight);
      for (const { kill } of scripts) kill('SIGTERM');
      const draining = new Set<string>();
      await until(async () => {
        for (const { cwd } of scripts) if ((await told(cwd)).includes('run.draining')) draining.add(cwd);
        return draining.size === sizes.filter((size) => size > 0).length;
      }, 'the shards to drain');
      await gate.open();
      expect(codes(await cancelled)).toEqual(sizes.map((size) => (size > 0 ? 143 : 0)));
      expect(await having('notes')).toHaveLength(inFlight);
      expect(codes(await run('migrate'))).toEqual([0, 0, 0, 0]);
      expect(await having('notes')).toEqual(EVERYBODY);
    } finally {
      await gate.open();
    }
  });
});

test('the workflows of docs/fleet.md tell the jobs of a deploy from those of a pull request, and have each wait for the one before', async () => {
  const { jobs } = await readGithubWorkflow();
  expect(Object.entries(jobs).map(([name, { needs }]) => [name, needs])).toEqual([
    ['plan', undefined],
    ['canary', undefined],
    ['migrate', 'canary'],
    ['report', 'migrate'],
  ]);
  const gitlab = await readGitlabPipeline();
  expect(Object.entries(gitlab.jobs).map(([name, { stage }]) => [name, stage])).toEqual(gitlab.stages.map((stage) => [stage, stage]));
});

/** What the shard's report says so far. */
async function told(directory: string): Promise<string> {
  const reports = (await readdir(directory)).filter((name) => name.endsWith('.ndjson'));
  return (await Promise.all(reports.map((name) => readFile(path.join(directory, name), 'utf8')))).join('');
}

async function allowedInPlan(): Promise<number | undefined> {
  const { jobs } = await readGitlabPipeline();
  return jobs['plan']?.allow_failure?.exit_codes;
}

function pick<Job>(jobs: Readonly<Record<string, Job>>, name: string): Job {
  const job = jobs[name];
  if (job === undefined) throw new Error(`there is no job ${name}`);
  return job;
}

const codes = (results: readonly JobResult[]): number[] => results.map(({ exitCode }) => exitCode);

async function testcases(report: JobResult | undefined): Promise<readonly (readonly [string, string])[]> {
  const file = path.join(report?.directory ?? '', 'migrate.xml');
  expect(existsSync(file)).toBe(true);
  const { suites } = await readJunit(file);
  return suites.flatMap((suite) => suite.testcases.map(({ name, result }) => [name, result] as const)).sort();
}
