import { MongoClient } from 'mongodb';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { query } from '../rig/postgres.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { nameTenants } from './fixtures.js';
import { readRun } from './read-run.js';
import { isWholeSweep, seed } from './sweep.js';
import { createRandom, createWeather, type Weather, weathers } from './weather.js';

const TENANTS = 100;
const CAP = 10;
/** Of one tenant. */
const TIMEOUT_MS = 4_000;
/** All tenants, as many at a time as the cap lets, each with its timeout and what it takes to give up a connection: longer than that it can't take. */
const DEADLINE_MS = (TENANTS / CAP) * (TIMEOUT_MS + 5_000) + 60_000;

const sql = (version: string): string => `CREATE TABLE t_${version} (id int PRIMARY KEY);\nINSERT INTO counts VALUES ('${version}_t');\n`;
const module = (version: string): string => `export const rerunnable = true;
export async function up(db) {
  await db.collection('counts').updateOne({ _id: '${version}_t' }, { $set: { name: '${version}_t' } }, { upsert: true });
}
`;
const firstFile = (driver: SandboxDriver): Readonly<Record<string, string>> =>
  driver === 'mongodb-database'
    ? { '0001_t.mjs': module('0001') }
    : { '0001_t.sql': `CREATE TABLE counts (name varchar(100) NOT NULL);\n${sql('0001')}` };

/** Where to look is asked for with each command, so that the registry and the cluster may have weather of their own. */
const configExtra = 'registry: { url: process.env.SANDBOX_REGISTRY ?? process.env.SANDBOX_URL },';

/** Declared once for each engine, in a file of its own: together they would take as long as all others of the scorecard. */
export function describeChaos(driver: SandboxDriver, startServer: () => Promise<{ readonly url: string; stop(): Promise<void> }>): void {
  describe(`10 connection chaos by ${driver}`, { timeout: isWholeSweep ? 3_600_000 : 900_000, concurrent: true }, () => {
    let server: { readonly url: string; stop(): Promise<void> };
    let project: SandboxProject;
    let sandbox: Sandbox;
    const ids = nameTenants(TENANTS);

    beforeAll(async () => {
      [server, project] = await Promise.all([
        startServer(),
        createSandboxProject({ migrations: firstFile(driver), concurrency: CAP, configExtra }),
      ]);
      sandbox = await project.open(server.url, driver);
      await sandbox.prepare(ids);
      process.stdout.write(`chaos by ${driver}, seed ${seed}\n`);
    }, 300_000);
    afterAll(async () => {
      await sandbox?.drop();
      await Promise.all([project?.remove(), server?.stop()]);
    });

    /** Migrates the fleet by one more file through the weather, and then without. */
    async function migrateThrough(
      weather: Weather,
      where: 'everywhere' | 'the registry' | 'the cluster',
      version: string,
    ): Promise<string[]> {
      const failures: string[] = [];
      const random = createRandom(seed + Number(version));
      const extension = driver === 'mongodb-database' ? 'mjs' : 'sql';
      await project.project.write(`migrations/${version}_t.${extension}`, driver === 'mongodb-database' ? module(version) : sql(version));
      // The registry is asked for many tenants at a time.
      const from = 5 + Math.floor(random() * (where === 'the registry' ? 10 : 60));
      const proxy = await createWeather(sandbox.url, weather, random, from);
      const env = {
        ...(where === 'the registry' ? {} : { SANDBOX_URL: proxy.url }),
        SANDBOX_REGISTRY: where === 'the cluster' ? sandbox.url : proxy.url,
      };
      const args = ['tenant', 'migrate', '--all', '--timeout', `${TIMEOUT_MS}ms`, '--retries', '2', '--json'];
      const told = await sandbox
        .run(args, { env, timeoutMs: DEADLINE_MS })
        .then(readRun)
        .finally(() => proxy.close());
      if (proxy.requestCount < from) failures.push(`the weather was to begin with request ${from}, and there were ${proxy.requestCount}`);
      const { exitCode, counts } = told.finished;
      const lagging = counts.failed + counts['not-started'] + counts.cancelled + counts.unknown + counts.unverified;
      const isDone = counts.applied + counts['up-to-date'] === TENANTS;
      // That the registry can't be told of a run's end is a failure too, with everybody migrated.
      const isUntold = ['TENANCY_REGISTRY_UNREACHABLE', 'TENANCY_REGISTRY_FAILED'].includes(told.finished.error?.code ?? '');
      if (exitCode === 0 ? !isDone || lagging > 0 : isDone && lagging === 0 && !isUntold)
        failures.push(`it ends with ${exitCode}: ${JSON.stringify(told.finished)}`);
      if (![0, 1, 5, 6].includes(exitCode)) failures.push(`it ends with ${exitCode}: ${JSON.stringify(told.finished.error)}`);
      const applied = told.of('tenant.finished').filter(({ outcome }) => outcome === 'applied');
      if (applied.length !== counts.applied) failures.push(`${counts.applied} are counted as applied, and ${applied.length} were told`);
      for (const { tenant } of applied) {
        if (!(await readCounts(sandbox, tenant)).includes(`${version}_t`)) failures.push(`${tenant} is told as applied, and is not`);
      }
      // What of it is right is right by itself: nobody waits for what the dead have left.
      const again = readRun(await sandbox.run(['tenant', 'migrate', '--all', '--json'], { timeoutMs: DEADLINE_MS }));
      if (again.finished.exitCode !== 0) failures.push(`without the weather it ends with ${JSON.stringify(again.finished)}`);
      const seconds = told.finished.ms / 1000;
      process.stdout.write(
        `chaos by ${driver}: ${weather.name} (${where}): exit ${exitCode} after ${seconds.toFixed(1)} s, ${counts.applied} applied, ${lagging} not; then ${again.finished.counts.applied} applied\n`,
      );
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url }).catch((error: Error) => failures.push(error.message));
      return failures.map((failure) => `${weather.name} (${where}): ${failure}`);
    }

    it('ends by its deadline, tells nothing false, and the next run makes it right', async ({ task }) => {
      const last = weathers.at(-1) as Weather;
      const all = [
        ...weathers.map((weather) => ({ weather, where: 'everywhere' as const })),
        { weather: last, where: 'the registry' as const },
        { weather: last, where: 'the cluster' as const },
      ];
      // Others with each seed.
      const oneOf = isWholeSweep ? 1 : driver === 'postgres-schema' ? 3 : all.length;
      const tried = all.filter((_, index) => index % oneOf === seed % oneOf);
      const failures: string[] = [];
      let converged = 0;
      for (const [index, { weather, where }] of tried.entries()) {
        const failed = await migrateThrough(weather, where, String(index + 2).padStart(4, '0'));
        failures.push(...failed);
        converged += failed.length === 0 ? 1 : 0;
      }
      task.meta.points = { tried: tried.length, converged };
      expect(failures).toEqual([]);
    });
  });
}

/** The names that each migration leaves in a tenant, read past our own code. */
async function readCounts(sandbox: Sandbox, id: string): Promise<string[]> {
  const url = sandbox.homeUrl(id);
  switch (sandbox.driver) {
    case 'mongodb-database': {
      const client = new MongoClient(sandbox.url);
      try {
        const counts = await client
          .db(sandbox.prefix + id)
          .collection('counts')
          .find()
          .toArray();
        return counts.map(({ name }) => String(name));
      } finally {
        await client.close();
      }
    }
    case 'mysql-database': {
      const connection = await createConnection({ uri: url });
      try {
        const [rows] = await connection.query('SELECT name FROM counts');
        return (rows as { name: string }[]).map(({ name }) => name);
      } finally {
        await connection.end();
      }
    }
    default: {
      const table = sandbox.driver === 'postgres-schema' ? `${sandbox.prefix}${id}.counts` : 'counts';
      return (await query<{ name: string }>(url, `SELECT name FROM ${table}`)).map(({ name }) => name);
    }
  }
}
