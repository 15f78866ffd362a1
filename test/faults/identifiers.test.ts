import net from 'node:net';
import pLimit from 'p-limit';
import { afterEach, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import { isTenancyError } from '../../src/errors.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { createMongoScene, createMysqlScene, createPostgresScene, type EngineScene } from '../cli/engine-scene.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { namesCorpus } from '../rig/names-corpus.js';
import { createTestDatabase } from '../rig/postgres.js';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';
import { isWholeSweep, seed } from './sweep.js';

/** What `parseTenantId` promises to let through. */
const FIT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
/** What would move a terminal's cursor, end its line, or turn the direction of its text. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
/** What some reader of lines takes for the end of one. */
const LINE_END = /[\p{Cc}\u2028\u2029]/u;
/** Of what costs a process or a database each. */
const SAMPLE = 8;
const PROCESSES_AT_ONCE = 4;

const unfit = namesCorpus.filter((name) => !FIT_ID.test(name));
const fit = namesCorpus.filter((name) => FIT_ID.test(name));

/** All, or a few that the seed chooses. */
function some<T>(all: readonly T[], count = SAMPLE): readonly T[] {
  if (isWholeSweep || all.length <= count) return all;
  const step = all.length / count;
  return Array.from({ length: count }, (_, index) => all[Math.floor((index + (seed % 97) / 97) * step)] as T);
}

describe(`20 identifiers, seed ${seed}`, { timeout: isWholeSweep ? 1_800_000 : 240_000 }, () => {
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** A server that nobody is to connect to. */
  async function setTrap(): Promise<{ readonly url: string; readonly connections: () => number }> {
    let connections = 0;
    const server = net.createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as net.AddressInfo;
    return { url: `postgres://nobody@127.0.0.1:${port}/none`, connections: () => connections };
  }

  async function open(registryUrl: string, clusterUrl: string, driver: DriverName, place: (id: string) => string): Promise<Tenancy> {
    const tenancy = await createTenancy({
      registry: { url: registryUrl },
      clusters: { main: { url: clusterUrl } },
      placement: ({ id }) => ({ cluster: 'main', driver, name: place(id) }),
    });
    cleanUps.push(() => tenancy.close());
    return tenancy;
  }

  it('that are no ids are refused by every method, before anything is connected to', async ({ task }) => {
    const trap = await setTrap();
    const tenancy = await open(trap.url, trap.url, 'postgres-schema', (id) => `tenant_${id}`);
    const methods: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
      provision: (id) => tenancy.provision([id]),
      'provision of several': (id) => tenancy.provision(['good', id]),
      migrate: (id) => tenancy.migrate({ ids: [id] }),
      exclude: (id) => tenancy.migrate({ all: true, exclude: [id] }),
      rollback: (id) => tenancy.rollback({ ids: [id] }, { to: 'none' }),
      deprovision: (id) => tenancy.deprovision(id, { confirm: id, skipBackup: true }),
      suspend: (id) => tenancy.suspend(id),
      resume: (id) => tenancy.resume(id),
      repair: (id) => tenancy.repair(id),
      protect: (id) => tenancy.setProtected(id, true),
      unlock: (id) => tenancy.unlock(id),
      find: (id) => tenancy.find(id),
      backup: (id) => tenancy.backup({ ids: [id] }),
      listBackups: (id) => tenancy.listBackups(id),
      restore: (id) => tenancy.restore(id),
      'restore as another': (id) => tenancy.restore('good', { as: id }),
      undelete: (id) => tenancy.undelete(id),
      purge: (id) => tenancy.purge(id, { confirm: id }),
      rotate: (id) => tenancy.rotate(id),
      connectionUrl: (id) => tenancy.connectionUrl(id),
      verify: (id) => tenancy.verify({ ids: [id] }),
      'audit show': (id) => tenancy.audit.list(id)[Symbol.asyncIterator]().next(),
      'audit verify': (id) => tenancy.audit.verify({ tenant: id }),
    };
    const wrong: string[] = [];
    for (const id of unfit) {
      for (const [name, call] of Object.entries(methods)) {
        const error: unknown = await call(id).then(
          () => 'it was let through',
          (thrown: unknown) => thrown,
        );
        const isRefused = isTenancyError(error, 'TENANCY_ID_REJECTED') || isTenancyError(error, 'TENANCY_DEPROVISION_REFUSED');
        const isOneLine = error instanceof Error && !/\p{Cc}/u.test(error.message);
        if (!isRefused || !isOneLine) wrong.push(`${name} ${JSON.stringify(id)}: ${String(error)}`);
      }
    }
    const tried = unfit.length * Object.keys(methods).length;
    task.meta.points = { tried, converged: tried - wrong.length };
    expect(wrong).toEqual([]);
    expect(trap.connections()).toBe(0);
  });

  it('that are no ids are refused on the command line, in one sentence that a terminal can bear', async ({ task }) => {
    const trap = await setTrap();
    const project: TestProject = await createProject({ databaseUrl: trap.url });
    cleanUps.push(() => project.remove());
    const commands = (id: string): readonly (readonly string[])[] => [
      ['tenant', 'provision', '--', id],
      ['tenant', 'migrate', '--', id],
      ['tenant', 'deprovision', '--confirm', 'acme', '--skip-backup', '--', id],
      ['tenant', 'show', '--', id],
      ['tenant', 'suspend', '--json', '--', id],
      ['tenant', 'backup', '--', id],
      ['tenant', 'backups', '--', id],
      ['tenant', 'restore', '--', id],
      ['tenant', 'restore', 'good', `--as=${id}`],
      ['tenant', 'undelete', '--', id],
      ['tenant', 'purge', '--confirm', 'acme', '--', id],
      ['tenant', 'rotate', '--json', '--', id],
      ['tenant', 'verify', '--', id],
      ['audit', 'show', '--', id],
      ['audit', 'verify', '--json', '--', id],
    ];
    // No argument of a process can hold a NUL, and a lone - is where ids come from stdin.
    const passable = unfit.filter((id) => !id.includes('\0') && id !== '-' && Buffer.from(id).toString() === id);
    // Each method has had each of them above: here each id goes to a fifth of the commands, and each command is given a fifth of the ids.
    const lines = some(passable).flatMap((id, index) => commands(id).filter((_, at) => at % 5 === index % 5));
    const wrong: string[] = [];
    const attempt = async (args: readonly string[]): Promise<void> => {
      const { exitCode, stdout, stderr } = await project.run(args);
      const told = args.includes('--json') ? stdout : stderr;
      const isClean =
        told.split('\n').every((line) => !(args.includes('--json') ? LINE_END : UNPRINTABLE).test(line)) &&
        !/\n {4}at /.test(told) &&
        told.length < 2_000;
      if (![2, 4].includes(exitCode) || !isClean) wrong.push(`${args.join(' ')}: exit ${exitCode}: ${stdout}${stderr}`);
    };
    const limit = pLimit(PROCESSES_AT_ONCE);
    await Promise.all(lines.map((args) => limit(attempt, args)));
    const tried = lines.length;
    task.meta.points = { tried, converged: tried - wrong.length };
    expect(wrong).toEqual([]);
    expect(trap.connections()).toBe(0);
  });

  it('that an engine cannot bear as names are refused before anything is connected to', async ({ task }) => {
    const trap = await setTrap();
    const wrong: string[] = [];
    let tried = 0;
    for (const driver of ['postgres-schema', 'postgres-database', 'mysql-database', 'mongodb-database'] as const) {
      const scheme = { 'mysql-database': 'mysql', 'mongodb-database': 'mongodb' }[driver as string] ?? 'postgres';
      const url = trap.url.replace(/^postgres/, scheme);
      let name = '';
      const tenancy = await open(trap.url, url, driver, () => name);
      for (name of namesCorpus.filter((candidate) => !/^[\p{L}\p{Nd}_][\p{L}\p{M}\p{Nd}_.-]*$/u.test(candidate))) {
        tried += 1;
        const error: unknown = await tenancy.provision(['acme']).then(
          () => 'it was let through',
          (thrown: unknown) => thrown,
        );
        if (!isTenancyError(error) || error.exitCode !== 2 || /\p{Cc}/u.test(error.message))
          wrong.push(`${driver} ${JSON.stringify(name)}: ${String(error)}`);
      }
    }
    task.meta.points = { tried, converged: tried - wrong.length };
    expect(wrong).toEqual([]);
    expect(trap.connections()).toBe(0);
  });

  /** Ids that are fit are what they say, whatever they mean elsewhere: made, found, told apart and removed, and nobody else with them. */
  async function provisionAll(scene: EngineScene): Promise<{ readonly tried: number; readonly wrong: string[] }> {
    const { driver, registryUrl, clusterUrl, prefix } = scene;
    const tenancy = await open(registryUrl, clusterUrl, driver, (id) => `${prefix}${id.toLowerCase()}`.slice(0, 62));
    const ids = some(fit).filter((id, index, all) => all.findIndex((other) => other.toLowerCase() === id.toLowerCase()) === index);
    const wrong: string[] = [];
    const homeOf = (id: string): string => `${prefix}${id.toLowerCase()}`.slice(0, 62);
    await tenancy.provision(['neighbour']);
    for (const id of ids) {
      const labels = { said: id, [id.slice(0, 20)]: 'yes' };
      const provisioned = await tenancy.provision([id], { labels });
      const found = await tenancy.find(id);
      const homes = await scene.listHomes();
      if (provisioned.exitCode !== 0) wrong.push(`${id} was not provisioned: ${JSON.stringify(provisioned.failed)}`);
      if (found.id !== id || found.name !== homeOf(id) || found.labels.said !== id)
        wrong.push(`${id} is registered as ${JSON.stringify(found)}`);
      if (homes.length !== 2 || !homes.includes(homeOf(id))) wrong.push(`${id} lives in one of ${homes.join(', ')}`);
      const removed = await tenancy.deprovision(id, { confirm: id, skipBackup: true });
      if (removed.exitCode !== 0) wrong.push(`${id} was not removed: ${JSON.stringify(removed.failed)}`);
      const left = await scene.listHomes();
      if (left.length !== 1) wrong.push(`after ${id} was removed there is ${left.join(', ')}`);
    }
    await tenancy.deprovision('neighbour', { confirm: 'neighbour', skipBackup: true });
    await tenancy.close();
    await checkInvariants({ adminUrl: clusterUrl, registryUrl, homePrefix: prefix });
    return { tried: ids.length, wrong };
  }

  it('that are fit are safe on PostgreSQL, as schemas', async ({ task }) => {
    const database = await createTestDatabase();
    cleanUps.push(() => database.drop());
    const scene: EngineScene = {
      ...(await createPostgresScene()),
      driver: 'postgres-schema',
      registryUrl: database.url,
      clusterUrl: database.url,
      prefix: 'p_',
      listHomes: async () =>
        (
          await database.query<{ name: string }>(`SELECT nspname AS name FROM pg_namespace WHERE starts_with(nspname, 'p_') ORDER BY 1`)
        ).map(({ name }) => name),
    };
    cleanUps.push(() => scene.drop());
    const { tried, wrong } = await provisionAll(scene);
    task.meta.points = { tried, converged: tried - wrong.length };
    expect(wrong).toEqual([]);
  });

  it('that are fit are safe on PostgreSQL, as databases', async ({ task }) => {
    const scene = await createPostgresScene();
    cleanUps.push(() => scene.drop());
    const { tried, wrong } = await provisionAll(scene);
    task.meta.points = { tried, converged: tried - wrong.length };
    expect(wrong).toEqual([]);
  });

  describeOn('mariadb', () => {
    it('that are fit are safe on MySQL', async ({ task }) => {
      const scene = await createMysqlScene();
      cleanUps.push(() => scene.drop());
      const { tried, wrong } = await provisionAll(scene);
      task.meta.points = { tried, converged: tried - wrong.length };
      expect(wrong).toEqual([]);
    });
  });

  describeOn('mongodb', () => {
    it('that are fit are safe on MongoDB', async ({ task }) => {
      const scene = await createMongoScene();
      cleanUps.push(() => scene.drop());
      const { tried, wrong } = await provisionAll(scene);
      task.meta.points = { tried, converged: tried - wrong.length };
      expect(wrong).toEqual([]);
    });
  });
});
