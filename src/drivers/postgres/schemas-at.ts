import type { Client } from 'pg';
import type { TenantTarget } from '../driver.js';
import { isSameMarker } from '../marker.js';
import { parseMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';

/** Schemas whose history can be read, with what says whose they are. */
const READABLE = `
  SELECT n.nspname AS name, d.description AS comment
    FROM pg_namespace n
    JOIN pg_class m ON m.relnamespace = n.oid AND m.relname = '_tenancy_migrations' AND m.relkind = 'r'
    JOIN pg_class s ON s.relnamespace = n.oid AND s.relname = '_tenancy_state' AND s.relkind = 'r'
    LEFT JOIN pg_description d ON d.classoid = 'pg_namespace'::regclass AND d.objoid = n.oid AND d.objsubid = 0
   WHERE n.nspname = ANY($1::text[])`;

/**
 * Which of these schemas are ours, have exactly the history of this digest, and no statement that was interrupted: two questions for all of them.
 * Of a schema that isn't in the answer nothing is said; somebody may be dropping it.
 */
export async function findSchemasAt(client: Client, targets: readonly TenantTarget[], digest: string): Promise<ReadonlySet<string>> {
  const byName = new Map(targets.map((target) => [target.name, target]));
  const { rows } = await client.query<{ name: string; comment: string | null }>(READABLE, [[...byName.keys()]]);
  const ours = rows.filter(({ name, comment }) => {
    const marker = parseMarker(comment);
    const target = byName.get(name);
    return marker !== null && target !== undefined && isSameMarker(marker, target.marker);
  });
  if (ours.length === 0) return new Set();
  const found = await client.query<{ name: string }>(ours.map(({ name }) => selectIfAt(name, digest)).join(' UNION ALL '));
  return new Set(found.rows.map(({ name }) => name));
}

/** The digest as `historyDigest` makes it; the column sorts bytewise by itself. */
function selectIfAt(name: string, digest: string): string {
  const schema = quoteName(name);
  return `SELECT ${quoteText(name)} AS name WHERE NOT EXISTS (SELECT FROM ${schema}._tenancy_state WHERE type = 'progress') AND
    (SELECT encode(sha256(convert_to(coalesce(string_agg(name || ':' || checksum, E'\\n' ORDER BY name), ''), 'UTF8')), 'hex')
       FROM ${schema}._tenancy_migrations) = ${quoteText(digest)}`;
}
