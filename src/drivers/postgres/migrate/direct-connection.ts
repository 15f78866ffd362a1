import type { MigrateContext } from './context.js';
import { readRows } from './send-message.js';

/** False behind a pooler, which invents the process id that it tells its clients. */
export async function isDirectConnection({ deps }: MigrateContext): Promise<boolean> {
  const [row] = await readRows(deps.client, 'SELECT pg_backend_pid()');
  return row?.[0] === String((deps.client as unknown as { readonly processID: number | null }).processID);
}
