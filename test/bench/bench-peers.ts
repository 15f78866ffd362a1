import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Figure } from './figure.js';
import { isSmall } from './small.js';
import { type Side, timeSide } from './time-side.js';

const TENANTS = isSmall ? 20 : 500;
const CONCURRENCY = 4;

/** By the package that each needs; how many tenants at once it has something for. */
const PEERS: readonly { readonly side: Side; readonly packageName: string; readonly atOnce: number }[] = [
  { side: 'umzug', packageName: 'umzug', atOnce: CONCURRENCY },
  { side: 'knex', packageName: 'knex', atOnce: 1 },
  { side: 'kysely', packageName: 'kysely', atOnce: 1 },
  { side: 'node-pg-migrate', packageName: 'node-pg-migrate', atOnce: 1 },
  { side: 'drizzle', packageName: 'drizzle-orm', atOnce: 1 },
];

/** The same work by those whom teams call in a loop of their own. */
export async function benchPeers(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const options = { root, serverUrl, measuredUrl: serverUrl, tenants: TENANTS };
  const figures: Figure[] = [];
  for (const { side, packageName, atOnce } of PEERS) {
    if (!existsSync(path.join(root, 'node_modules', packageName))) {
      console.log(`not run: ${side} (npm i --no-save ${packageName})`);
      continue;
    }
    // Side by side, since a machine may be another one an hour later.
    const theirs = await timeSide({ ...options, side, concurrency: atOnce });
    const ours = await timeSide({ ...options, side: 'tenancy', concurrency: CONCURRENCY });
    const manner = atOnce === 1 ? 'one after the other' : `${atOnce} at a time`;
    figures.push({
      what: `${side}, ${manner} ÷ tenancy, ${TENANTS} schemas × 12 migrations`,
      ratio: theirs / ours,
      goal: null,
      detail: `${(theirs / 1_000).toFixed(1)} s against ${(ours / 1_000).toFixed(1)} s at concurrency ${CONCURRENCY}`,
    });
  }
  return figures;
}
