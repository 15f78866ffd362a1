import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { createDraftStart } from './database-create.js';
import { assertDatabaseMarker, type DatabaseState, readHome } from './database-state.js';
import { codeOf, type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { quoteName } from './quote.js';
import { draftName, droppedName } from './working-names.js';

/** A session did not end in the 5 s that PostgreSQL gives it; somebody else has dropped or renamed it, or it is another's by now. */
const RACES: ReadonlySet<string> = new Set(['55006', '3D000', '42P04', '22P02']);
const NOT_ALLOWED = '42501';

/**
 * ```
 * home ──closed, its sessions ended──→ RENAME, the marker compared behind it ──→ `tenancy_drop_<operation>` ──DROP──→ (absent)
 * ```
 * DROP DATABASE can't be made conditional, nor be part of a transaction: a process that stood still right before it, over the tenant's drop and
 * its next provisioning, would hit its next life. Under a name that no other life has, it can't. Also drops what an interrupted `create` of the
 * same operation left.
 */
export async function dropDatabase(context: EngineContext, target: TenantTarget, signal: AbortSignal): Promise<'dropped' | 'absent'> {
  const { operation } = target.marker;
  await context.budget.closeIdle(target.name);
  let isDropped = false;
  return withClient(context, null, signal, async (client) => {
    await client.query(END_CREATION, [createDraftStart(operation)]);
    return settleRaces(
      signal,
      (code) => RACES.has(code),
      async () => {
        const { home, draft, dropping } = await readHome(client, target);
        if (draft !== null) await dropOne(client, draftName(operation));
        if (dropping !== null) await dropOne(client, droppedName(operation));
        isDropped ||= draft !== null || dropping !== null;
        if (home !== null) {
          const reasons = await findObstacles(client, target, home);
          if (reasons.length > 0) throw new TenancyError('TENANCY_DROP_REFUSED', { name: target.name, kind: 'database', reasons });
          await dropOne(client, await renameForDrop(client, target, home));
          isDropped = true;
        }
        return isDropped ? 'dropped' : 'absent';
      },
    );
  });
}

/** Answers with the name under which it is to be dropped. */
async function renameForDrop(client: Client, { name, marker }: TenantTarget, home: DatabaseState): Promise<string> {
  // All that PostgreSQL does with one whose drop was interrupted is to drop it: nothing else can have its name meanwhile.
  if (home.isHalfDropped) return name;
  const dropped = droppedName(marker.operation);
  try {
    await sendTransaction(client, `ALTER DATABASE ${quoteName(name)} WITH ALLOW_CONNECTIONS false; ${assertDatabaseMarker(name, home)}`);
    await client.query(END_SESSIONS, [name]);
    await sendTransaction(
      client,
      `ALTER DATABASE ${quoteName(name)} RENAME TO ${quoteName(dropped)}; ${assertDatabaseMarker(dropped, home)}`,
    );
    return dropped;
  } catch (error) {
    // To rename takes CREATEDB, which the owner of a database that was adopted may lack; to drop doesn't.
    if (codeOf(error) === NOT_ALLOWED) return name;
    throw error;
  }
}

const END_SESSIONS = `
  SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid() AND usesysid IS NOT NULL`;

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

/** FORCE ends the sessions while DROP holds the database's lock, which new ones wait for: nobody slips in. */
async function dropOne(client: Client, name: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
}
