import path from 'node:path';
import { createTcpProxy } from '../rig/tcp-proxy.js';
import { type Figure, median } from './figure.js';
import { createFleetProject, query, withDatabase } from './fleet-project.js';
import { timeCommand } from './time-command.js';

const TENANTS = 200;
const CONCURRENCY = 4;
const ROUNDS = 3;
const DELAY_MS = 10;

type Side = 'tenancy' | 'one-message' | 'umzug';

/** 200 schemas × 12 migrations at concurrency 4, against a bare script over a `pg` pool and a plain loop of umzug. */
export async function benchMigrate(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const near = await measure(root, serverUrl, serverUrl, ['tenancy', 'one-message']);
  const proxy = await createTcpProxy(serverUrl, { delayMs: DELAY_MS });
  try {
    const far = await measure(root, serverUrl, proxy.url, ['tenancy', 'one-message', 'umzug']);
    const what = `${TENANTS} schemas × 12 migrations at concurrency ${CONCURRENCY}`;
    return [
      figure(`${what}, loopback ÷ bare script, one message a tenant`, near.tenancy, near['one-message'], { type: 'at-most', ratio: 1.15 }),
      figure(`${what}, +${DELAY_MS} ms each way ÷ bare script, one message a tenant`, far.tenancy, far['one-message'], {
        type: 'at-most',
        ratio: 1.2,
      }),
      figure(`plain loop of umzug ÷ tenancy, +${DELAY_MS} ms each way`, far.umzug, far.tenancy, { type: 'at-least', ratio: 5 }),
    ];
  } finally {
    await proxy.close();
  }
}

async function measure(root: string, serverUrl: string, measuredUrl: string, sides: readonly Side[]): Promise<Record<Side, number[]>> {
  const times: Record<Side, number[]> = { tenancy: [], 'one-message': [], umzug: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of sides) times[side].push(await measureOnce(root, serverUrl, measuredUrl, side));
  }
  return times;
}

/** A fresh fleet each time, so that no side finds the other's tables; commands are timed whole, start-up included. */
async function measureOnce(root: string, serverUrl: string, measuredUrl: string, side: Side): Promise<number> {
  const fleet = await createFleetProject({ root, serverUrl, measuredUrl, tenants: TENANTS, concurrency: CONCURRENCY });
  try {
    await query(fleet.databaseUrl, 'CHECKPOINT');
    if (side === 'tenancy') return await fleet.run(['tenant', 'migrate', '--all', '--quiet']);
    const url = withDatabase(measuredUrl, new URL(fleet.databaseUrl).pathname.slice(1));
    const rival = path.join(root, 'dist', 'bench', 'rival.mjs');
    return await timeCommand(process.execPath, [rival, side, url, String(TENANTS), String(CONCURRENCY)], { cwd: root });
  } finally {
    await fleet.remove();
  }
}

function figure(what: string, ours: readonly number[], theirs: readonly number[], goal: Figure['goal']): Figure {
  const [a, b] = [median(ours), median(theirs)];
  return { what, ratio: a / b, goal, detail: `median of ${ROUNDS}: ${(a / 1_000).toFixed(2)} s against ${(b / 1_000).toFixed(2)} s` };
}
