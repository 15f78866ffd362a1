import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { createDraftStart } from './database-create.js';
import { type DatabaseState, readHome } from './database-state.js';
import { type EngineContext, settleRaces, withClient } from './engine-context.js';
import { quoteName } from './quote.js';
import { draftName } from './working-names.js';

/** A session did not end in the 5 s that FORCE gives it. */
const OBJECT_IN_USE = '55006';

/** Ends the sessions in it and drops it; also what an interrupted `create` of the same operation left. */
export async function dropDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'> {
  await context.budget.closeIdle(target.name);
  let isDropped = false;
  return withClient(context, null, signal, async (client) => {
    await client.query(END_CREATION, [createDraftStart(target.marker.operation)]);
    return settleRaces(
      signal,
      (code) => code === OBJECT_IN_USE,
      async () => {
        const { home, draft } = await readHome(client, target);
        if (draft !== null) {
          await dropOne(client, draftName(target.marker.operation));
          isDropped = true;
        }
        if (home !== null) {
          const reasons = await findObstacles(client, target, home);
          if (reasons.length > 0) throw new TenancyError('TENANCY_DROP_REFUSED', { name: target.name, kind: 'database', reasons });
          await dropOne(client, target.name);
          isDropped = true;
        }
        return isDropped ? 'dropped' : 'absent';
      },
    );
  });
}

/** A CREATE DATABASE runs on after its client has died, and would turn up when all is over. */
const END_CREATION = `
  SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
   WHERE state = 'active' AND pid <> pg_backend_pid() AND starts_with(query, $1) AND usename = current_user`;

/** Why PostgreSQL, or we, would not drop it. FORCE ends sessions, but none of these. */
export async function findObstacles(client: Client, target: TenantTarget, home: DatabaseState): Promise<string[]> {
  if (home.marker === null || !isSameMarker(home.marker, target.marker)) return [`it ${describeOwner(home.marker, target.marker)}`];
  const { rows } = await client.query<{ reason: string }>(READ_OBSTACLES, [target.name]);
  return rows.map(({ reason }) => reason);
}

const READ_OBSTACLES = `
  SELECT 'it is the database that the cluster''s URL names' AS reason WHERE $1::text = current_database()
  UNION ALL
  SELECT 'it is a template (ALTER DATABASE … IS_TEMPLATE false)' FROM pg_database WHERE datname = $1 AND datistemplate
  UNION ALL
  SELECT format('the prepared transaction %L is open in it (COMMIT PREPARED or ROLLBACK PREPARED)', gid) FROM pg_prepared_xacts WHERE database = $1
  UNION ALL
  SELECT format('the replication slot %L is active in it', slot_name) FROM pg_replication_slots WHERE database = $1 AND active
  UNION ALL
  SELECT format('the subscription %L is in it', subname) FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = $1`;

/**
 * FORCE ends the sessions while DROP holds the database's lock, which new ones wait for: nobody slips in. Locking them out with
 * ALLOW_CONNECTIONS false first would add nothing but a trap: ALTER of a database that another is dropping is FATAL.
 */
async function dropOne(client: Client, name: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
}
