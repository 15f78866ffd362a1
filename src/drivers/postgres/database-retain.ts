import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { AccessChange, TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { markRetained, markUnretained } from '../retention.js';
import { assertDatabaseMarker, type DatabaseState, readHome } from './database-state.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { formatMarker, type MarkerComment } from './marker.js';
import { quoteName, quoteText } from './quote.js';

const TERMINATE_TIMEOUT_MS = 5_000;
const MOST_LOOKS = 50;
/** A session that was just being let in when the door was shut isn't listed yet. */
const LOOK_AGAIN_MS = 100;

/** Dropped, renamed, or another's by now. */
const RACES: ReadonlySet<string> = new Set(['3D000', '22P02']);

/**
 * Closes the database for everybody, superusers and backups too, and ends every session in it. Rights and settings stay as they are.
 * A transaction that was prepared stays prepared, and has its database again when this is taken back.
 */
export async function retainDatabase(
  context: EngineContext,
  target: TenantTarget,
  operation: string,
  signal: AbortSignal,
): Promise<AccessChange> {
  await context.budget.closeIdle(target.name);
  return withClient(context, null, signal, async (client) => {
    await change(client, target, signal, (marker) => ({ isConnectable: false, marker: markRetained(marker, operation) }));
    const ended = await endSessions(client, target.name, signal);
    return {
      isEnforced: true,
      detail: `closed for everybody${ended === 0 ? '' : `, ${ended === 1 ? 'a session' : `${ended} sessions`} ended`}`,
    };
  });
}

export async function unretainDatabase(
  context: EngineContext,
  target: TenantTarget,
  { operation, isOver }: { readonly operation: string; readonly isOver: boolean },
  signal: AbortSignal,
): Promise<AccessChange> {
  return withClient(context, null, signal, async (client) => {
    await change(client, target, signal, (marker) => ({ isConnectable: true, marker: markUnretained(marker, operation, isOver) }));
    return { isEnforced: true, detail: 'open again for those who have the right' };
  });
}

/** Door and marker change in one transaction. The marker is compared behind the first change, which holds the database's row. */
async function change(
  client: Client,
  target: TenantTarget,
  signal: AbortSignal,
  to: (marker: MarkerComment) => { readonly isConnectable: boolean; readonly marker: MarkerComment },
): Promise<void> {
  const name = quoteName(target.name);
  await settleRaces(
    signal,
    (code) => RACES.has(code),
    async () => {
      const { home } = await readHome(client, target);
      const { isConnectable, marker } = to(requireOurs(home, target));
      await sendTransaction(
        client,
        `ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS ${isConnectable}; ${assertDatabaseMarker(target.name, home)};
         COMMENT ON DATABASE ${name} IS ${quoteText(formatMarker(marker))}`,
      );
    },
  );
}

function requireOurs(home: DatabaseState | null, target: TenantTarget): MarkerComment {
  if (home?.marker != null && isSameMarker(home.marker, target.marker)) {
    if (!home.isHalfDropped) return home.marker;
    throw new TenancyError('TENANCY_ACCESS_REFUSED', {
      name: target.name,
      kind: 'database',
      owner: 'was interrupted while it was being dropped',
    });
  }
  const owner = home === null ? 'is not there' : describeOwner(home.marker, target.marker);
  throw new TenancyError('TENANCY_ACCESS_REFUSED', { name: target.name, kind: 'database', owner });
}

/** All that have a user: the server's own workers go by themselves. */
const END_SESSIONS = `
  SELECT pg_terminate_backend(pid, ${TERMINATE_TIMEOUT_MS}) FROM pg_stat_activity
   WHERE datname = $1 AND pid <> pg_backend_pid() AND usesysid IS NOT NULL`;

async function endSessions(client: Client, database: string, signal: AbortSignal): Promise<number> {
  let ended = 0;
  let quiet = 0;
  for (let look = 1; quiet < 2; look++) {
    const { rowCount } = await client.query(END_SESSIONS, [database]);
    ended += rowCount ?? 0;
    quiet = rowCount === 0 ? quiet + 1 : 0;
    if (look === MOST_LOOKS) {
      const owner = `is closed, but sessions in it don't end when they are told to`;
      throw new TenancyError('TENANCY_ACCESS_REFUSED', { name: database, kind: 'database', owner });
    }
    if (quiet < 2) await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
  return ended;
}
