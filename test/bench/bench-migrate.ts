import { createTcpProxy } from '../rig/tcp-proxy.js';
import { type Figure, median } from './figure.js';
import { type Side, timeSide } from './time-side.js';

const TENANTS = 200;
const CONCURRENCY = 4;
const ROUNDS = 3;
const DELAY_MS = 10;

type Measured = Extract<Side, 'tenancy' | 'one-message' | 'umzug'>;

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

async function measure(
  root: string,
  serverUrl: string,
  measuredUrl: string,
  sides: readonly Measured[],
): Promise<Record<Measured, number[]>> {
  const times: Record<Measured, number[]> = { tenancy: [], 'one-message': [], umzug: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of sides)
      times[side].push(await timeSide({ root, serverUrl, measuredUrl, side, tenants: TENANTS, concurrency: CONCURRENCY }));
  }
  return times;
}

function figure(what: string, ours: readonly number[], theirs: readonly number[], goal: Figure['goal']): Figure {
  const [a, b] = [median(ours), median(theirs)];
  return { what, ratio: a / b, goal, detail: `median of ${ROUNDS}: ${(a / 1_000).toFixed(2)} s against ${(b / 1_000).toFixed(2)} s` };
}
