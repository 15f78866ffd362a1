import { type Figure, median } from './figure.js';
import { createFleetProject, query } from './fleet-project.js';

const TENANTS = 200;
const CONCURRENCY = 20;
const SLEEP_S = 0.2;
const ROUNDS = 3;

/** 200 tenants × a migration that sleeps: how well the slots are kept busy, and how many connections that takes. */
export async function benchSleep(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const idealMs = ((TENANTS * SLEEP_S) / CONCURRENCY) * 1_000;
  const times: number[] = [];
  const startUps: number[] = [];
  const peaks: number[] = [];
  let left = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const migrations = [{ name: '0001_sleep', sql: `SELECT pg_sleep(${SLEEP_S});\n` }];
    const fleet = await createFleetProject({
      root,
      serverUrl,
      measuredUrl: serverUrl,
      tenants: TENANTS,
      concurrency: CONCURRENCY,
      migrations,
    });
    const database = new URL(fleet.databaseUrl).pathname.slice(1);
    const sampler = sampleConnections(serverUrl, database);
    times.push(await fleet.run(['tenant', 'migrate', '--all', '--quiet']));
    const { peak, atEnd } = await sampler.stop();
    peaks.push(peak);
    left += atEnd;
    // The same command with nothing to do.
    startUps.push(await fleet.run(['tenant', 'migrate', '--all', '--quiet']));
    await fleet.remove();
  }
  const workMs = median(times) - median(startUps);
  return [
    {
      what: `${TENANTS} tenants × \`pg_sleep(${SLEEP_S})\` at concurrency ${CONCURRENCY}, less start-up ÷ ideal`,
      ratio: workMs / idealMs,
      goal: { type: 'at-most', ratio: 1.15 },
      detail: `median of ${ROUNDS}: ${(workMs / 1_000).toFixed(2)} s (and ${median(startUps).toFixed(0)} ms of start-up) against ${idealMs / 1_000} s`,
    },
    {
      what: 'peak of connections ÷ (cap + 2)',
      ratio: Math.max(...peaks) / (CONCURRENCY + 2),
      goal: { type: 'at-most', ratio: 1 },
      detail: `sampled from pg_stat_activity every 20 ms: at most ${Math.max(...peaks)} at a cap of ${CONCURRENCY}; ${left} at the end`,
    },
  ];
}

function sampleConnections(serverUrl: string, database: string): { stop(): Promise<{ readonly peak: number; readonly atEnd: number }> } {
  let peak = 0;
  let isStopped = false;
  const count = async (): Promise<number> => {
    const [row] = await query(
      serverUrl,
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = '${database}' AND backend_type = 'client backend' AND application_name <> 'bench'`,
    );
    return Number(row?.['n']);
  };
  const sampling = (async () => {
    while (!isStopped) {
      peak = Math.max(peak, await count());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await sampling;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { peak, atEnd: await count() };
    },
  };
}
