import type { BackupDriver, TenantTarget } from '../../driver.js';
import { type EngineContext, withClient } from '../engine-context.js';
import { markerPrefix } from '../marker.js';
import { dropSchema } from '../schema-drop.js';
import { dumpArchive } from './dump.js';
import { giveFence } from './give-fence.js';
import { sweepLogins } from './lend-login.js';
import { loadArchive } from './load.js';
import { dropScratchDatabase } from './rename-in-database.js';
import { restoreSchema } from './restore-schema.js';
import { stopLeft } from './stop-left.js';

export { checkTools } from './tools.js';

type Carried = Pick<BackupDriver, 'dump' | 'restore' | 'stop' | 'sweep' | 'sweepLoaded'>;

/** Of schema tenants. */
export function createSchemaBackups(context: EngineContext): Carried {
  return {
    dump: (target, path, work) => dumpArchive(context, target, { database: null, schema: target.name }, path, work),
    restore: (target, source, work) => restoreSchema(context, target, source, work),
    stop: (target, signal) => stopLeft(context, target, signal),
    sweep: async (target, signal) => {
      // A role can't be dropped while it owns something in a database that is still there.
      await dropScratchDatabase(context, target, signal);
      await sweepLogins(context, target, null, signal);
    },
    sweepLoaded: async (target, signal) => {
      for (const name of await listMarked(context, target, signal)) await dropSchema(context, { ...target, name }, signal);
    },
  };
}

/** Of database tenants. A whole database is loaded under any name alike. */
export function createDatabaseBackups(context: EngineContext, historySchema: string): Carried {
  return {
    dump: (target, path, work) => dumpArchive(context, target, { database: target.name, schema: null }, path, work),
    restore: async (target, { path: archive }, work) => {
      await loadArchive(context, target, { database: target.name, schema: null }, { archive, scratch: work.scratch }, work);
      await withClient(context, target.name, work.signal, (client) => giveFence(client, historySchema, work.fence));
    },
    stop: (target, signal) => stopLeft(context, target, signal),
    sweep: async (target, signal) => {
      // A role can only be dropped from where it owns something.
      const { rowCount } = await withClient(context, null, signal, (client) =>
        client.query('SELECT FROM pg_database WHERE datname = $1 AND datallowconn', [target.name]),
      );
      await sweepLogins(context, target, rowCount === 0 ? null : target.name, signal);
      await context.budget.closeIdle(target.name);
    },
  };
}

/** Schemas of this operation under any other name than the home's: an interrupted restore was loading them. */
async function listMarked(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<readonly string[]> {
  return withClient(context, null, signal, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname <> $1 AND starts_with(obj_description(oid, 'pg_namespace'), $2)`,
      [target.name, markerPrefix(target.marker)],
    );
    return rows.map(({ name }) => name);
  });
}
