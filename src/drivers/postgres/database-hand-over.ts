import type { Client } from 'pg';
import { TenancyError } from '../../errors.js';
import type { TenantTarget } from '../driver.js';
import { describeOwner, isSameMarker } from '../marker.js';
import { type DatabaseState, readDatabases } from './database-state.js';
import { type EngineContext, sendTransaction, settleRaces, withClient } from './engine-context.js';
import { formatMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';

/** Somebody renamed or dropped it meanwhile, has taken the name, or looks into it. */
const RACES: ReadonlySet<string> = new Set(['42P04', '3D000', '55006']);

/**
 * Marker and name in one transaction, so that a database is at every moment either the pool's or the tenant's. What the tenant has already
 * (of an attempt that was killed) is taken as it is.
 */
export async function handOverDatabase(
  context: EngineContext,
  spare: TenantTarget,
  target: TenantTarget,
  signal: AbortSignal,
): Promise<'handed-over' | 'adopted' | 'absent'> {
  await context.budget.closeIdle(spare.name);
  return withClient(context, null, signal, (client) =>
    settleRaces(
      signal,
      (code) => RACES.has(code),
      () => handOver(client, spare, target),
    ),
  );
}

async function handOver(client: Client, spare: TenantTarget, target: TenantTarget): Promise<'handed-over' | 'adopted' | 'absent'> {
  const found = await readDatabases(client, [spare.name, target.name]);
  const home = found.get(target.name);
  if (home !== undefined) {
    if (isMarkedAs(home, target) && !home.isHalfDropped) return 'adopted';
    throw new TenancyError('TENANCY_NAME_TAKEN', { name: target.name, kind: 'database', owner: describeOwner(home.marker, target.marker) });
  }
  const made = found.get(spare.name);
  if (made === undefined || !isMarkedAs(made, spare) || made.isHalfDropped) return 'absent';
  const name = quoteName(spare.name);
  const comment = quoteText(formatMarker(target.marker));
  await sendTransaction(client, `COMMENT ON DATABASE ${name} IS ${comment}; ALTER DATABASE ${name} RENAME TO ${quoteName(target.name)}`);
  return 'handed-over';
}

function isMarkedAs({ marker }: DatabaseState, target: TenantTarget): boolean {
  return marker !== null && isSameMarker(marker, target.marker);
}
