import type { HookContext } from '../../src/config/types.js';

/** PostgreSQL's undefined_table and invalid_schema_name, and ER_NO_SUCH_TABLE of MySQL. */
const ABSENT = new Set<unknown>(['42P01', '3F000', 'ER_NO_SUCH_TABLE']);

/** The rows of a query over a table that may not be there yet: then none. One round trip in the case that counts, the fleet with nothing to do. */
export async function readRows<Row>({ db }: HookContext, sql: string): Promise<readonly Row[]> {
  try {
    return (await db.query<Row>(sql)).rows;
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  for (let link = error; link instanceof Error; link = link.cause) if (ABSENT.has((link as { code?: unknown }).code)) return true;
  return false;
}
