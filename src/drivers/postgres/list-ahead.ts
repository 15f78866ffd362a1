import type { Client } from 'pg';
import { NOBODY } from '../../tenant.js';
import type { Marker } from '../driver.js';
import { bareMarker } from '../marker.js';
import { parseMarker } from './marker.js';

const QUERIES = {
  pg_database: `SELECT datname AS name, shobj_description(oid, 'pg_database') AS comment FROM pg_database ORDER BY datname`,
  pg_namespace: `SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace ORDER BY nspname`,
} as const;

/** What carries the marker of nobody's home, whatever it is called. */
export async function listAhead(
  client: Client,
  catalogue: keyof typeof QUERIES,
  registry: string,
): Promise<readonly { readonly name: string; readonly marker: Marker }[]> {
  // With thousands of homes only those that may be meant are sent: a marker begins with the tenant's id.
  const narrowed = `SELECT * FROM (${QUERIES[catalogue]}) AS found WHERE starts_with(comment, 'tenancy:{"tenant":"*')`;
  const { rows } = await client.query<{ name: string; comment: string | null }>(narrowed);
  return rows.flatMap(({ name, comment }) => {
    const marker = parseMarker(comment);
    const isNobodys = marker !== null && marker.registry === registry && Object.values<string>(NOBODY).includes(marker.tenant);
    return isNobodys ? [{ name, marker: bareMarker(marker) }] : [];
  });
}
