import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { type DatabaseState, draftName, readHome } from './database-state.js';
import { type EngineContext, settleRaces, withClient } from './engine-context.js';
import { describeOwner, isSameMarker } from './marker.js';
import { quoteName } from './quote.js';

/** Dropped by another meanwhile (3D000; 55000 while it is half done), or somebody slipped in between the lock-out and the drop (55006). */
const RACES: ReadonlySet<string> = new Set(['3D000', '55000', '55006']);

/** Locks everybody out, ends their sessions and drops it; also what an interrupted `create` of the same operation left. */
export async function dropDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'> {
  await context.budget.closeIdle(target.name);
  let isDropped = false;
  return withClient(context, null, signal, (client) =>
    settleRaces(signal, (code) => RACES.has(code), async () => {
      const { home, draft } = await readHome(client, target);
      if (draft !== null) {
        await dropOne(client, draftName(target.marker.operation), draft);
        isDropped = true;
      }
      if (home !== null) {
        const reasons = await findObstacles(client, target, home);
        if (reasons.length > 0) throw new TenancyError('TENANCY_DROP_REFUSED', { name: target.name, kind: 'database', reasons });
        await dropOne(client, target.name, home);
        isDropped = true;
      }
      return isDropped ? 'dropped' : 'absent';
    }),
  );
}

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

async function dropOne(client: Client, name: string, { isConnectable }: DatabaseState): Promise<void> {
  if (isConnectable) await client.query(`ALTER DATABASE ${quoteName(name)} ALLOW_CONNECTIONS false`);
  await client.query(`DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
}
