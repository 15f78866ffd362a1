import type { Client } from 'pg';
import { type MarkerComment, parseMarker } from './marker.js';

export interface SchemaState {
  readonly marker: MarkerComment | null;
  readonly comment: string | null;
  /** Nothing in it but our history. */
  readonly isEmpty: boolean;
}

/**
 * Whatever lives in a schema has an entry in pg_depend that says so, of whatever kind it is.
 * Default privileges have one too, but hold no data.
 */
const READ_STATE = `
  SELECT obj_description(n.oid, 'pg_namespace') AS comment, NOT EXISTS (
    SELECT FROM pg_depend d LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
     WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid <> 'pg_default_acl'::regclass
       AND (c.relname IS NULL OR NOT starts_with(c.relname, '_tenancy'))) AS is_empty
    FROM pg_namespace n WHERE n.nspname = $1::text`;

/** Null: absent. */
export async function readSchema(client: Client, name: string): Promise<SchemaState | null> {
  const { rows } = await client.query<{ comment: string | null; is_empty: boolean }>(READ_STATE, [name]);
  const row = rows[0];
  return row === undefined ? null : { marker: parseMarker(row.comment), comment: row.comment, isEmpty: row.is_empty };
}

/** In the order of bytes, which the type name sorts by since PostgreSQL 12. PostgreSQL's, ours and the shared schemas are left out. */
const LIST = `
  SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace
   WHERE nspname > $1::text COLLATE "C" AND nspname !~ '^(pg_|_?tenancy)' AND nspname NOT IN ('information_schema', 'public', $2)
   ORDER BY nspname LIMIT $3`;

export async function listSchemas(
  client: Client,
  page: { readonly after: string | null; readonly limit: number },
  extensionsSchema: string,
): Promise<readonly { readonly name: string; readonly marker: MarkerComment | null }[]> {
  const { rows } = await client.query<{ name: string; comment: string | null }>(LIST, [page.after ?? '', extensionsSchema, page.limit]);
  return rows.map(({ name, comment }) => ({ name, marker: parseMarker(comment) }));
}
