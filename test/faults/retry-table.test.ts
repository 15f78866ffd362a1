import path from 'node:path';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTenancy } from '../../src/index.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { createMongodbProxy } from '../rig/mongodb-proxy.js';
import { createMysqlProxy } from '../rig/mysql-proxy.js';
import { postgresUrl } from '../rig/postgres.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { readRun } from './read-run.js';
import { LOST, MONGODB, MYSQL, POSTGRES, type TableEntry } from './retry-table.js';
import { isWholeSweep, seed } from './sweep.js';

const RETRIES = 2;
const BASE_MS = 200;
/** Of each rule so many, without TENANCY_FAULTS=all. */
const SAMPLED = 3;

/** The first of each rule, and others by the seed. */
function sample(table: readonly TableEntry[]): readonly TableEntry[] {
  if (isWholeSweep) return table;
  const rules = [...new Set(table.map(({ rule }) => rule))];
  return rules.flatMap((rule) => {
    const all = table.filter((entry) => entry.rule === rule);
    const [first, ...rest] = all;
    const turn = rest.length === 0 ? 0 : seed % rest.length;
    return first === undefined ? [] : [first, ...[...rest.slice(turn), ...rest.slice(0, turn)].slice(0, SAMPLED - 1)];
  });
}

/** Between half of what it may be at most and all of it, which doubles. */
function expectBackOff(delays: readonly number[], what: string): void {
  for (const [index, delayMs] of delays.entries()) {
    const most = BASE_MS * 2 ** index;
    expect(delayMs, what).toBeGreaterThanOrEqual(most / 2);
    expect(delayMs, what).toBeLessThanOrEqual(most);
  }
}

/** Each tenant fails in its own way, so often: the server itself says so, within the migration. */
describe('9 retry table on PostgreSQL', { timeout: 180_000 }, () => {
  const migrations = {
    '0001_codes.sql': `CREATE TABLE counts (name text NOT NULL);
CREATE TABLE injected (code text, message text, times integer);
CREATE SEQUENCE attempts;
INSERT INTO counts VALUES ('0001_codes');
`,
    '0002_fails.sql': `DO $$
DECLARE wanted injected;
BEGIN
  SELECT * INTO wanted FROM injected;
  -- Not given back where the transaction is.
  IF nextval('attempts') <= wanted.times THEN
    EXECUTE wanted.message;
  END IF;
END $$;
INSERT INTO counts VALUES ('0002_fails');
`,
  };
  let project: SandboxProject;
  beforeAll(async () => {
    project = await createSandboxProject({ migrations, before: ['0001_codes.sql'] });
  });
  afterAll(() => project?.remove());

  async function inject(sandbox: Sandbox, tenant: string, { code, using = '', message }: TableEntry, times: number): Promise<void> {
    const raise = `DO $raise$ BEGIN RAISE EXCEPTION '${message ?? 'injected'}' USING ERRCODE = '${code}'${using}; END $raise$`;
    await sandbox.query(`INSERT INTO tenant_${tenant}.injected VALUES ($1, $2, $3)`, [code, raise, times]);
  }
  const attemptsOf = async (sandbox: Sandbox, tenant: string): Promise<number> => {
    const [row] = await sandbox.query<{ last: string }>(`SELECT last_value::text AS last FROM tenant_${tenant}.attempts WHERE is_called`);
    return Number(row?.last ?? 0);
  };

  it('tries again what may pass, within bounds and with jitter, and all else once', async ({ task }) => {
    const sandbox = await project.open(await postgresUrl(), 'postgres-schema');
    try {
      const chosen = sample(POSTGRES).filter(({ rule }) => rule !== 'stops-the-run');
      const cases = chosen.flatMap((entry, index) => [
        { tenant: `always${index}`, entry, times: 99 },
        ...(entry.rule === 'retried' ? [{ tenant: `once${index}`, entry, times: 1 }] : []),
      ]);
      await sandbox.prepare(cases.map(({ tenant }) => tenant));
      for (const { tenant, entry, times } of cases) await inject(sandbox, tenant, entry, times);
      const run = readRun(
        await sandbox.run(['tenant', 'migrate', '--all', '--retries', String(RETRIES), '--json'], { timeoutMs: 120_000 }),
      );
      const retried = run.of('tenant.retried');
      for (const { tenant, entry, times } of cases) {
        const what = `${entry.code}${entry.using ?? ''} ${times === 1 ? 'once' : 'always'}`;
        const isRetried = entry.rule === 'retried';
        const attempts = isRetried ? (times === 1 ? 2 : 1 + RETRIES) : 1;
        const ended = run.of('tenant.finished').find((event) => event.tenant === tenant);
        expect(ended, what).toMatchObject({ outcome: isRetried && times === 1 ? 'applied' : 'failed', attempts });
        expect(await attemptsOf(sandbox, tenant), what).toBe(attempts);
        if (times > 1) expect(ended?.error?.retryable, what).toBe(isRetried);
        const delays = retried.filter((event) => event.tenant === tenant).map(({ delayMs }) => delayMs);
        expect(delays, what).toHaveLength(attempts - 1);
        expectBackOff(delays, what);
      }
      expect(new Set(retried.map(({ delayMs }) => delayMs)).size, 'the delays are jittered').toBeGreaterThan(2);
      const failed = cases.filter(({ times, entry }) => times > 1 || entry.rule === 'once').map(({ tenant }) => tenant);
      expect(run.finished.failed.map(({ tenant }) => tenant).sort()).toEqual([...failed].sort());
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
      task.meta.points = { tried: cases.length, converged: cases.length };
    } finally {
      await sandbox.drop();
    }
  });

  it.each(sample(POSTGRES).filter(({ rule }) => rule === 'stops-the-run'))('starts no more tenants after $code', async (entry) => {
    const sandbox = await project.open(await postgresUrl(), 'postgres-schema');
    try {
      const tenants = ['a', 'b', 'c', 'd', 'e', 'f'];
      await sandbox.prepare(tenants);
      await inject(sandbox, 'a', entry, 99);
      const result = await sandbox.run(['tenant', 'migrate', '--all', '--concurrency', '1', '--json']);
      const { finished, of } = readRun(result);
      expect(finished).toMatchObject({ exitCode: 1, counts: { failed: 1, 'not-started': tenants.length - 1 } });
      expect(of('run.draining')).toMatchObject([{ reason: 'resources' }]);
      expect(await attemptsOf(sandbox, 'a')).toBe(1);
      await sandbox.query('UPDATE tenant_a.injected SET times = 0');
      expect((await sandbox.run(['tenant', 'migrate', '--all'])).exitCode).toBe(0);
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    } finally {
      await sandbox.drop();
    }
  });
});

interface Injection {
  readonly url: string;
  readonly requests: () => number;
  close(): Promise<void>;
}

interface EngineTable {
  readonly driver: SandboxDriver;
  readonly table: readonly TableEntry[];
  readonly migrations: Readonly<Record<string, string>>;
  readonly before: readonly string[];
  startServer(): Promise<{ readonly url: string; stop(): Promise<unknown> }>;
  /** A proxy that answers the request of the migration with that error the first so many times. */
  inject(url: string, entry: TableEntry, times: number): Promise<Injection>;
}

/** The error is answered by a proxy, in the server's place; the registry is talked to without it. */
function describeTable(name: string, { driver, table, migrations, before, startServer, inject }: EngineTable): void {
  describe(`9 retry table on ${name}`, { timeout: 240_000 }, () => {
    let server: Awaited<ReturnType<EngineTable['startServer']>>;
    let project: SandboxProject;
    let sandbox: Sandbox;
    const cases = sample(table).flatMap((entry, index) => [
      { tenant: `always${index}`, entry, times: 99 },
      ...(entry.rule === 'retried' ? [{ tenant: `once${index}`, entry, times: 1 }] : []),
    ]);
    beforeAll(async () => {
      [server, project] = await Promise.all([startServer(), createSandboxProject({ migrations, before })]);
      sandbox = await project.open(server.url, driver);
      await sandbox.prepare(cases.map(({ tenant }) => tenant));
    }, 120_000);
    afterAll(async () => {
      await sandbox?.drop();
      await project?.remove();
      await server?.stop();
    });

    async function migrate(tenant: string, entry: TableEntry, times: number) {
      const injected = await inject(sandbox.url, entry, times);
      const delays: number[] = [];
      const drains: string[] = [];
      const tenancy = await createTenancy(
        {
          registry: { url: sandbox.url },
          clusters: { main: { url: injected.url } },
          placement: ({ id }) => ({ cluster: 'main', driver, name: sandbox.prefix + id }),
          migrations: { directory: path.join(project.project.directory, 'migrations') },
        },
        {
          root: project.project.directory,
          onEvent: (event) => {
            if (event.type === 'tenant.retried') delays.push(event.delayMs);
            if (event.type === 'run.draining') drains.push(event.reason);
          },
        },
      );
      try {
        const report = await tenancy.migrate({ ids: [tenant] }, { limits: { retries: RETRIES } });
        return { report, delays, drains, requests: injected.requests() };
      } finally {
        await tenancy.close();
        await injected.close();
      }
    }

    it('tries again what may pass, within bounds and with jitter, and all else once', async ({ task }) => {
      const limit = pLimit(5);
      const all: number[] = [];
      const wrong = await Promise.all(
        cases.map(({ tenant, entry, times }) =>
          limit(async () => {
            const what = `${entry.code} ${times === 1 ? 'once' : 'always'}`;
            const attempts = entry.rule === 'retried' ? (times === 1 ? 2 : 1 + RETRIES) : 1;
            const { report, delays, drains, requests } = await migrate(tenant, entry, times);
            all.push(...delays);
            const isApplied = report.counts.applied === 1;
            const told = report.failed[0]?.attempts ?? delays.length + 1;
            const expected = {
              isApplied: times === 1,
              told: attempts,
              requests: attempts,
              drains: entry.rule === 'stops-the-run' ? ['resources'] : [],
            };
            expectBackOff(delays, what);
            const found = { isApplied, told, requests, drains };
            return JSON.stringify(found) === JSON.stringify(expected)
              ? null
              : `${what}: ${JSON.stringify({ found, expected, error: report.failed[0]?.error })}`;
          }),
        ),
      );
      const failed = wrong.filter((each) => each !== null);
      task.meta.points = { tried: cases.length, converged: cases.length - failed.length };
      expect(failed).toEqual([]);
      expect(new Set(all).size, 'the delays are jittered').toBeGreaterThan(2);
      // Once nothing is injected any more, the same command finishes all of them.
      const rest = readRun(await sandbox.run(['tenant', 'migrate', '--all', '--json']));
      expect(rest.finished).toMatchObject({ exitCode: 0 });
      await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
    });
  });
}

describeOn('mariadb', () => {
  describeTable('MariaDB', {
    driver: 'mysql-database',
    table: MYSQL,
    migrations: {
      '0001_counts.sql': `CREATE TABLE counts (name VARCHAR(64) NOT NULL);\nINSERT INTO counts VALUES ('0001_counts');\n`,
      '0002_orders.sql': `CREATE TABLE orders (id BIGINT PRIMARY KEY);\nINSERT INTO counts VALUES ('0002_orders');\n`,
    },
    before: ['0001_counts.sql'],
    startServer: () => startPrivateMariadb(),
    inject: async (url, { code }, times) => {
      let requests = 0;
      const proxy = await createMysqlProxy(url);
      const isLost = code === LOST;
      proxy.judge = ({ phase, sql }) => {
        if (!isLost || phase === 'after' || !sql.includes('CREATE TABLE orders')) return 'forward';
        requests += 1;
        return requests <= times ? 'drop' : 'forward';
      };
      proxy.answer = ({ sql }) => {
        if (isLost || !sql.includes('CREATE TABLE orders')) return null;
        requests += 1;
        return requests <= times ? { number: Number(code), sqlState: 'HY000', message: `injected ${code}` } : null;
      };
      return { url: proxy.url, requests: () => requests, close: () => proxy.close() };
    },
  });
});

describeTable('MongoDB', {
  driver: 'mongodb-database',
  table: MONGODB,
  migrations: {
    '0001_counts.mjs': `export const rerunnable = true;\nexport const up = (db) => db.collection('counts').updateOne({ _id: '0001_counts' }, { $set: { name: '0001_counts' } }, { upsert: true });\n`,
    '0002_orders.mjs': `export const rerunnable = true;
export async function up(db) {
  await db.createCollection('orders').catch((error) => { if (error.code !== 48) throw error; });
  await db.collection('counts').updateOne({ _id: '0002_orders' }, { $set: { name: '0002_orders' } }, { upsert: true });
}
`,
  },
  before: ['0001_counts.mjs'],
  startServer: () => startMongoDeployment(),
  inject: async (url, { code, labels }, times) => {
    let requests = 0;
    const proxy = await createMongodbProxy(url, {
      onCommand: ({ phase, name, collection }) => {
        if (phase === 'after' || name !== 'create' || collection !== 'orders') return 'forward';
        requests += 1;
        if (requests > times) return 'forward';
        if (code === LOST) return 'drop';
        return { ok: 0, code: Number(code), errmsg: `injected ${code}`, ...(labels === undefined ? {} : { errorLabels: labels }) };
      },
    });
    return { url: proxy.url, requests: () => requests, close: () => proxy.close() };
  },
});
