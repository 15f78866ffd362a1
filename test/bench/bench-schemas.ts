import { type Figure, median } from './figure.js';
import { isSmall } from './small.js';
import { timeSide } from './time-side.js';

const TENANTS = isSmall ? 100 : 2_000;
const TRIED_ON = isSmall ? 50 : 200;
const TRIED = [1, 2, 4, 8];
const ROUNDS = isSmall ? 1 : 2;

/** The throughput over many real schemas, each side at its best. */
export async function benchSchemas(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const best = { tenancy: 0, 'one-message': 0 };
  for (const side of ['tenancy', 'one-message'] as const) {
    const tries: { readonly concurrency: number; readonly ms: number }[] = [];
    for (const concurrency of TRIED) {
      tries.push({ concurrency, ms: await timeSide({ root, serverUrl, measuredUrl: serverUrl, side, tenants: TRIED_ON, concurrency }) });
    }
    best[side] = tries.reduce((least, one) => (one.ms < least.ms ? one : least)).concurrency;
  }
  const times = { tenancy: [] as number[], 'one-message': [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of ['tenancy', 'one-message'] as const) {
      times[side].push(await timeSide({ root, serverUrl, measuredUrl: serverUrl, side, tenants: TENANTS, concurrency: best[side] }));
    }
  }
  const [ours, theirs] = [median(times.tenancy), median(times['one-message'])];
  const rate = (ms: number): string => `${((1_000 * TENANTS) / ms).toFixed(0)} tenants a second`;
  return [
    {
      what: `throughput over ${TENANTS.toLocaleString('en')} schemas × 12 migrations ÷ the bare script's`,
      ratio: theirs / ours,
      goal: { type: 'at-least', ratio: 0.85 },
      detail: `median of ${ROUNDS}: ${rate(ours)} at concurrency ${best.tenancy}, against ${rate(theirs)} at ${best['one-message']}`,
    },
  ];
}
