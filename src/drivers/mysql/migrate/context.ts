import type { Marker } from '../../driver.js';
import type { ServerConnection } from '../connection.js';
import { lockName } from '../engine-context.js';
import { formatMarker } from '../marker.js';
import { quoteText } from '../quote.js';
import type { MigrationSessionDeps } from '../run-session.js';

/** What the parts of one session share. */
export interface MigrateContext {
  readonly deps: MigrationSessionDeps;
  readonly connection: ServerConnection;
  readonly marker: Marker;
  /** Of GET_LOCK, as SQL. */
  readonly lock: string;
  /** Fails the message that it stands in where the tenant's lock or fence isn't ours any more, or the session is in another database. */
  readonly guard: string;
}

/** MySQL has no statement that fails on a condition; a subquery with two rows does, and is reached only where it is chosen. */
export const FAIL = '(SELECT 1 UNION SELECT 2)';
/** ER_SUBQUERY_NO_1_ROW */
export const FAILED = 1242;

export function createMigrateContext(deps: MigrationSessionDeps): MigrateContext {
  const { connection, target, options } = deps;
  const lock = quoteText(lockName('migrate', target.name));
  return {
    deps,
    connection,
    marker: target.marker,
    lock,
    guard: `SELECT IF((SELECT fence FROM _tenancy_state WHERE type = 'fence') = ${options.fence} AND IS_USED_LOCK(${lock}) = CONNECTION_ID() AND DATABASE() = ${quoteText(target.name)}, 1, ${FAIL})`,
  };
}

/** As it stands in the home's state table. */
export function markerText({ marker }: MigrateContext): string {
  return formatMarker(marker);
}
