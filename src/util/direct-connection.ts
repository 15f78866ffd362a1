import type { Client } from 'pg';

/** False behind a pooler, which invents the process id that it tells its clients. */
export async function isDirectConnection(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ backend: number }>('SELECT pg_backend_pid() AS backend');
  return rows[0]?.backend === (client as unknown as { readonly processID: number | null }).processID;
}
