import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantTarget } from '../../src/drivers/driver.js';
import { isTenancyError } from '../../src/errors.js';
import { killSteps } from './mongodb-kill-steps.js';
import { blindly, never, useMongoHomes } from './mongodb-rig.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
type Verb = 'create' | 'migrate' | 'drop';

/** Does one thing to one tenant, and kills itself before its Nth command is sent, or when the answer to it has come. */
const source = `
  import { openClusterEngine } from './src/drivers/index.ts';
  import { killSteps } from './test/contract/mongodb-kill-steps.ts';
  const { url, target, verb, killAt, killOn } = JSON.parse(process.argv[2]);
  const engine = await openClusterEngine({ cluster: 'main', url, maxConnections: 1, extensionsSchema: 'x', applicationName: 'killed' });
  const driver = engine.driver('mongodb-database');
  const { signal } = new AbortController();
  let seen = 0;
  driver.nativeDatabase(target).client.on(killOn, () => {
    seen += 1;
    if (seen === killAt) process.kill(process.pid, 'SIGKILL');
  });
  const options = { fence: 1, runId: null, lockTimeoutMs: 1000, statementTimeoutMs: null, signal };
  const blindly = { expectedDigest: null, tenant: 'acme', onMigration: () => {}, log: () => {} };
  if (verb === 'create') await driver.create(target, signal);
  if (verb === 'drop') await driver.drop(target, signal);
  if (verb === 'migrate') await driver.withSession(target, options, (session) => session.applyMigrations(killSteps(), blindly));
  await engine.close();
`;

const homes = useMongoHomes();
let directory = '';

beforeAll(async () => {
  // Within the project, whose packages it imports; perhaps nothing was built yet.
  await mkdir(join(root, 'dist'), { recursive: true });
  directory = await mkdtemp(join(root, 'dist', 'mongodb-kills-'));
  await build({
    stdin: { contents: source, resolveDir: root, loader: 'js' },
    outdir: directory,
    entryNames: 'actor',
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // So that no engine but this one is loaded.
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    logLevel: 'silent',
  });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** True where it was killed; false where it was done before. */
async function run(verb: Verb, target: TenantTarget, killAt: number, killOn: string): Promise<boolean> {
  const argument = JSON.stringify({ url: homes.mongo.url, target, verb, killAt, killOn });
  const child = spawn(process.execPath, [join(directory, 'actor.mjs'), argument], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) expect(signal).toBe('SIGKILL');
  return signal === 'SIGKILL';
}

/** Kills it at one command after the other until it gets through. `begin` is what comes before it, `finish` what the next attempt does. */
async function sweep(
  verb: Verb,
  killOn: string,
  begin: (target: TenantTarget) => Promise<void>,
  finish: (target: TenantTarget) => Promise<void>,
): Promise<number> {
  for (let killAt = 1; ; killAt++) {
    const target = homes.target();
    await begin(target);
    const isKilled = await run(verb, target, killAt, killOn);
    await finish(target);
    if (!isKilled) return killAt - 1;
  }
}

/** As an operator would: looks, says what was done, and runs it again. */
async function migrateAgain(target: TenantTarget): Promise<void> {
  const { applied } = await homes.within(target, (session) => session.readHistory());
  const pending = killSteps().slice(applied.length);
  try {
    await homes.within(target, (session) => session.applyMigrations(pending, blindly()), { fence: 2 });
  } catch (error) {
    if (!isTenancyError(error, 'TENANCY_MIGRATION_UNKNOWN')) throw error;
    expect(error.details.migration).toBe('alone');
    const isDone = (await homes.db(target).collection('counts').countDocuments({ name: 'alone' })) > 0;
    await homes.within(target, (session) => session.resolveProgress(isDone ? 'applied' : 'rerun'), { fence: 2 });
    await homes.within(target, (session) => session.applyMigrations(pending, blindly()), { fence: 2 });
  }
}

describe.each(['commandStarted', 'commandSucceeded'])(
  'what is killed at any command (%s) is finished by the next attempt:',
  { timeout: 180_000 },
  (killOn) => {
    it('a creation', async () => {
      const points = await sweep(
        'create',
        killOn,
        async () => {},
        async (target) => {
          expect(await homes.driver.create(target, never)).toMatch(/created|adopted/);
          expect(await homes.driver.probe(target)).toEqual({ status: 'ours', isEmpty: true });
        },
      );
      expect(points).toBeGreaterThanOrEqual(5);
    });

    it('migrations, each exactly once', async () => {
      const points = await sweep(
        'migrate',
        killOn,
        async (target) => {
          await homes.driver.create(target, never);
        },
        async (target) => {
          await migrateAgain(target);
          const documents = await homes.db(target).collection('counts').find().toArray();
          expect(documents.map(({ name }) => name).sort()).toEqual(['again', 'alone', 'together']);
          const { applied, progress } = await homes.within(target, (session) => session.readHistory());
          expect(applied.map(({ name }) => name)).toEqual(['alone', 'together', 'again']);
          expect(progress).toBeNull();
        },
      );
      expect(points).toBeGreaterThanOrEqual(10);
    });

    it('a drop, with the users', async () => {
      const points = await sweep(
        'drop',
        killOn,
        async (target) => {
          await homes.driver.create(target, never);
          await homes.db(target).collection('a').insertOne({});
          await homes.db(target).collection('b').insertOne({});
          await homes.db(target).command({ createUser: 'app', pwd: 'x', roles: ['readWrite'] });
        },
        async (target) => {
          expect(await homes.driver.drop(target, never)).toMatch(/dropped|absent/);
          expect(await homes.driver.probe(target)).toEqual({ status: 'absent' });
          expect((await homes.db(target).command({ usersInfo: 1 }))['users']).toEqual([]);
        },
      );
      expect(points).toBeGreaterThanOrEqual(10);
    });
  },
);
