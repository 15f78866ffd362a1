import type { HookContext } from '../../src/config/types.js';
import { readRows } from './read-rows.js';
import { locateHome, quoteTable } from './tenant-home.js';

/** The rows of a tool's own history table, in the tenant's schema; none where the table isn't there yet. @param write the query, for the table's quoted name */
export function readHistoryRows<Row>(
  ctx: HookContext,
  tool: string,
  table: string,
  write: (table: string) => string,
): Promise<readonly Row[]> {
  return readRows<Row>(ctx, write(quoteTable(locateHome(ctx, tool, ['postgres', 'mysql']), table)));
}
