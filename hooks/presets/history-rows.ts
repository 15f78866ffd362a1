import type { HookContext } from '../../src/config/types.js';

/** PostgreSQL's undefined_table and invalid_schema_name, and MySQL's. */
const ABSENT = new Set(['42P01', '3F000', 'ER_NO_SUCH_TABLE']);

/** The rows of a tool's own history table; none where the table isn't there yet. @param write the query, for the table's name with its schema */
export async function readHistoryRows<Row>(ctx: HookContext, table: string, write: (table: string) => string): Promise<readonly Row[]> {
  const mark = ctx.driver.name.startsWith('mysql') ? '`' : '"';
  const quote = (name: string): string => mark + name.replaceAll(mark, mark + mark) + mark;
  // Through the search path alone, a table of another schema would be read where the tenant has none.
  const name = ctx.driver.name === 'postgres-schema' ? `${quote(ctx.placement.name)}.${quote(table)}` : quote(table);
  try {
    return (await ctx.db.query<Row>(write(name))).rows;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (ABSENT.has(code)) return [];
    throw error;
  }
}
