import type { Client } from 'pg';
import { quoteName, quoteText } from '../quote.js';

/** The fence that was dumped is of another life of the tenant, or of another tenant: it may be far ahead of those to come. */
export async function giveFence(client: Client, historySchema: string, fence: number): Promise<void> {
  const table = `${quoteName(historySchema)}._tenancy_state`;
  const { rows } = await client.query<{ is_there: boolean }>(`SELECT to_regclass(${quoteText(table)}) IS NOT NULL AS is_there`);
  if (rows[0]?.is_there === true) await client.query(`UPDATE ${table} SET fence = $1 WHERE type = 'fence'`, [fence]);
}
