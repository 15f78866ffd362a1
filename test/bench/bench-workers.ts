import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findModernNode } from '../rig/modern-node.js';
import { type CountServer, startCountServer } from './count-server.js';
import type { Figure } from './figure.js';
import { createFleetProject, type FleetProject, query } from './fleet-project.js';
import { isSmall } from './small.js';
import { startWorkers } from './start-workers.js';
import { timeCommand } from './time-command.js';

const CAPS: Readonly<Record<string, number>> = { five: 5, three: 3, one: 1, ten: 10 };
const SLOTS = Object.values(CAPS).reduce((sum, cap) => sum + cap, 0);
const WORKERS = 4;
const EACH = 8;
const WAIT_MS = 100;
/** Tenants for each slot: both sides take as long as these take one after the other. */
const PER_SLOT = isSmall ? 40 : 300;

const KILLED_TENANTS = isSmall ? 40 : 160;
const KILLED_SLEEP_S = 0.5;
const KILLED_CAP = 4;
const MOST_S = 60;

/** What many workers do together: keep the caps, go as fast as one process, and outlive one of them. */
export async function benchWorkers(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const node = await findModernNode();
  if (node === null) {
    console.log('not run: workers (pg-boss needs Node.js 22.12, and npx -p node@24 brought none)');
    return [];
  }
  return [...(await benchCaps(root, serverUrl, node)), ...(await benchKill(root, serverUrl, node))];
}

async function benchCaps(root: string, serverUrl: string, node: string): Promise<readonly Figure[]> {
  const counter = await startCountServer();
  const project = await createFleetProject({ root, serverUrl, measuredUrl: serverUrl, tenants: 1, concurrency: 1, migrations: [] });
  try {
    const tenants = SLOTS * PER_SLOT;
    await project.registerCopies(tenants - 1);
    await spreadOverClusters(project);
    await writeConfigs(project, counter);
    const migrate = (config: string, args: readonly string[]): Promise<number> =>
      timeCommand(node, [path.join(root, 'bin', 'tenancy.js'), '-c', config, 'tenant', 'migrate', '--all', '--quiet', ...args], {
        cwd: project.directory,
        env: { BENCH_URL: project.databaseUrl },
      });

    const aloneMs = await migrate('alone.config.mjs', []);
    refuseUnlessAll(counter, tenants);
    counter.forget();
    const workers = await startWorkers(root, WORKERS, { node, cwd: project.directory, url: project.databaseUrl, concurrency: EACH });
    let togetherMs: number;
    try {
      togetherMs = await migrate('tenancy.config.mjs', ['--executor', 'pg-boss']);
    } finally {
      await workers.stop();
    }
    refuseUnlessAll(counter, tenants);
    const caps = Object.entries(CAPS);
    const peaks = caps.map(([cluster, cap]) => `${counter.peakOf(cluster)} at a cap of ${cap}`).join(', ');
    const what = `${WORKERS} workers × ${EACH} on ${caps.length} clusters with caps ${Object.values(CAPS).join(', ')}`;
    return [
      {
        what: `${what}: most in flight on a cluster ÷ its cap`,
        ratio: Math.max(...caps.map(([cluster, cap]) => counter.peakOf(cluster) / cap)),
        goal: { type: 'at-most', ratio: 1 },
        detail: `each tenant that began was counted, over all workers: ${peaks}`,
      },
      {
        what: `${what}: tenants a second and slot ÷ one process`,
        ratio: aloneMs / togetherMs,
        goal: { type: 'at-least', ratio: 0.85 },
        detail: `${tenants.toLocaleString('en')} tenants × ${WAIT_MS} ms: ${seconds(togetherMs)} s against ${seconds(aloneMs)} s over the same ${SLOTS} slots, both with the start of the command; ideal ${seconds(PER_SLOT * WAIT_MS)} s`,
      },
    ];
  } finally {
    counter.close();
    await project.remove();
  }
}

/** As many for each cluster as its cap is wide, so that all slots end together. */
async function spreadOverClusters({ databaseUrl }: FleetProject): Promise<void> {
  let upTo = 0;
  const cases = Object.entries(CAPS).map(([cluster, cap]) => {
    upTo += cap;
    return `WHEN n % ${SLOTS} < ${upTo} THEN '${cluster}'`;
  });
  await query(
    databaseUrl,
    `UPDATE tenancy.tenants t SET cluster = CASE ${cases.join(' ')} END FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM tenancy.tenants) s WHERE s.id = t.id`,
  );
  // As autovacuum does after a change of that size.
  await query(databaseUrl, 'ANALYZE tenancy.tenants');
}

/** The same project twice, each with a target of its own, so that each side has everything to do. */
async function writeConfigs({ directory }: FleetProject, { port }: CountServer): Promise<void> {
  const clusters = Object.entries(CAPS).map(([cluster, cap]) => `${cluster}: { url, concurrency: ${cap} }`);
  const text = (target: string): string => `import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
const url = process.env.BENCH_URL;
const done = new Set();
const count = (cluster) => new Promise((resolve, reject) => {
  const socket = connect(${port}, '127.0.0.1').on('error', reject).once('data', () => resolve(socket));
  socket.write(cluster);
});
const migrate = {
  type: 'migrator',
  name: 'wait',
  connections: 0,
  target: async () => '${target}',
  readVersion: async ({ tenant }) => (done.has(tenant.id) ? '${target}' : null),
  run: async ({ tenant }) => {
    const socket = await count(tenant.cluster);
    await wait(${WAIT_MS});
    done.add(tenant.id);
    await new Promise((resolve) => socket.once('close', resolve).destroy());
  },
};
export default {
  registry: { url },
  clusters: { ${clusters.join(', ')} },
  placement: ({ id }) => ({ cluster: 'five', driver: 'postgres-schema', name: 'tenant_' + id }),
  hooks: { migrate },
};
`;
  await rm(path.join(directory, 'tenancy.config.ts'));
  await writeFile(path.join(directory, 'alone.config.mjs'), text('alone'));
  await writeFile(path.join(directory, 'tenancy.config.mjs'), text('together'));
}

function refuseUnlessAll({ arrivals }: CountServer, tenants: number): void {
  if (arrivals !== tenants) throw new Error(`${arrivals} of ${tenants} tenants were worked on`);
}

async function benchKill(root: string, serverUrl: string, node: string): Promise<readonly Figure[]> {
  const sql = `SELECT pg_sleep(${KILLED_SLEEP_S}); CREATE TABLE IF NOT EXISTS done (at timestamptz); INSERT INTO done VALUES (now());`;
  const project = await createFleetProject({
    root,
    serverUrl,
    measuredUrl: serverUrl,
    tenants: KILLED_TENANTS,
    concurrency: KILLED_CAP,
    migrations: [{ name: '0001_done', sql }],
  });
  try {
    const { directory: cwd, databaseUrl: url } = project;
    const workers = await startWorkers(root, 2, { node, cwd, url, concurrency: KILLED_CAP });
    const listDone = (): Promise<readonly Record<string, unknown>[]> =>
      query(url, "SELECT schemaname FROM pg_tables WHERE tablename = 'done'");
    let killedAtMs = Number.NaN;
    let before = 0;
    let tookS = Number.NaN;
    try {
      const run = timeCommand(
        node,
        [path.join(root, 'bin', 'tenancy.js'), 'tenant', 'migrate', '--all', '--quiet', '--executor', 'pg-boss'],
        {
          cwd,
          env: { BENCH_URL: url },
        },
      );
      const killing = (async () => {
        // By then both have some in flight: a worker that has a slot leaves the next to who has none.
        while (before < KILLED_TENANTS / 4) {
          await delay(20);
          before = (await listDone()).length;
        }
        workers.kill(0);
        killedAtMs = performance.now();
      })();
      await Promise.all([run, killing]);
      tookS = (performance.now() - killedAtMs) / 1_000;
    } finally {
      await workers.stop();
    }
    const tenants = await listDone();
    const rows = await query(url, tenants.map(({ schemaname }) => `SELECT 1 FROM ${schemaname}.done`).join(' UNION ALL '));
    const what = 'one of 2 workers killed in mid-run, heartbeat 30 s';
    return [
      {
        what: `${what}: from the kill to the end ÷ ${MOST_S} s`,
        ratio: tookS / MOST_S,
        goal: { type: 'at-most', ratio: 1 },
        detail: `${tookS.toFixed(1)} s; ${before} of ${KILLED_TENANTS} schemas, ${KILLED_SLEEP_S} s each at a cap of ${KILLED_CAP}, were done before it`,
      },
      {
        what: `${what}: tenants done ÷ tenants`,
        ratio: tenants.length / KILLED_TENANTS,
        goal: { type: 'at-least', ratio: 1 },
        detail: `the migration leaves a row in its transaction: ${rows.length} rows of ${tenants.length} tenants`,
      },
      {
        what: `${what}: rows that it left ÷ tenants`,
        ratio: rows.length / KILLED_TENANTS,
        goal: { type: 'at-most', ratio: 1 },
        detail: 'nobody was done twice',
      },
    ];
  } finally {
    await project.remove();
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(2);
}
