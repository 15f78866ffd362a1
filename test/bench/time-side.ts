import path from 'node:path';
import { createFleetProject, query, withDatabase } from './fleet-project.js';
import { timeCommand } from './time-command.js';

/** `tenancy`, or what `rival.ts` knows. */
export type Side = 'tenancy' | 'one-message' | 'umzug' | 'knex' | 'kysely' | 'node-pg-migrate' | 'drizzle';

export interface SideOptions {
  readonly root: string;
  readonly serverUrl: string;
  readonly measuredUrl: string;
  readonly side: Side;
  readonly tenants: number;
  readonly concurrency: number;
}

/** A fresh fleet each time, so that no side finds the other's tables; commands are timed whole, start-up included. */
export async function timeSide({ root, serverUrl, measuredUrl, side, tenants, concurrency }: SideOptions): Promise<number> {
  const fleet = await createFleetProject({ root, serverUrl, measuredUrl, tenants, concurrency });
  try {
    await query(fleet.databaseUrl, 'CHECKPOINT');
    if (side === 'tenancy') return await fleet.run(['tenant', 'migrate', '--all', '--quiet']);
    const url = withDatabase(measuredUrl, new URL(fleet.databaseUrl).pathname.slice(1));
    const rival = path.join(root, 'dist', 'bench', 'rival.mjs');
    return await timeCommand(process.execPath, [rival, side, url, String(tenants), String(concurrency)], { cwd: root });
  } finally {
    await fleet.remove();
  }
}
