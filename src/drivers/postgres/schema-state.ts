import type { Client } from 'pg';
import type { TenantTarget } from '../driver.js';
import { isSameMarker } from '../marker.js';
import { assertComment, type MarkerComment, parseMarker } from './marker.js';
import { quoteName, quoteText } from './quote.js';
import { RETAINED, retainedName } from './working-names.js';

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
  SELECT n.nspname AS name, obj_description(n.oid, 'pg_namespace') AS comment, NOT EXISTS (
    SELECT FROM pg_depend d LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
     WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid <> 'pg_default_acl'::regclass
       AND (c.relname IS NULL OR NOT starts_with(c.relname, '_tenancy'))) AS is_empty
    FROM pg_namespace n WHERE n.nspname = ANY ($1::text[])`;

/** Null: absent. */
export async function readSchema(client: Client, name: string): Promise<SchemaState | null> {
  return (await readSchemas(client, [name])).get(name) ?? null;
}

/** The tenant's schema under its own name, and under the one that it has while it is retained. */
export interface SchemaHome {
  readonly home: SchemaState | null;
  readonly retained: SchemaState | null;
}

export async function readSchemaHome(client: Client, { name, marker }: TenantTarget): Promise<SchemaHome> {
  const found = await readSchemas(client, [name, retainedName(marker.operation)]);
  return { home: found.get(name) ?? null, retained: found.get(retainedName(marker.operation)) ?? null };
}

export function isOurs(state: SchemaState | null, { marker }: TenantTarget): boolean {
  return state?.marker != null && isSameMarker(state.marker, marker);
}

/** Those that are there, by name; in one round trip. */
async function readSchemas(client: Client, names: readonly string[]): Promise<ReadonlyMap<string, SchemaState>> {
  const { rows } = await client.query<{ name: string; comment: string | null; is_empty: boolean }>(READ_STATE, [names]);
  return new Map(rows.map(({ name, comment, is_empty }) => [name, { marker: parseMarker(comment), comment, isEmpty: is_empty }] as const));
}

/**
 * Fails where the schema isn't the one that was looked at, in the transaction that changes it: a process that is stopped in between and
 * wakes when the tenant has been dropped and provisioned again must not reach its next life.
 */
export function assertSchemaMarker(schema: string, { comment }: SchemaState): string {
  const found = `obj_description(to_regnamespace(${quoteText(quoteName(schema))})::oid, 'pg_namespace')`;
  return assertComment(found, comment);
}

/** In the order of bytes, which the type name sorts by since PostgreSQL 12. PostgreSQL's, ours and the shared schemas are left out, but not what is retained. */
const LIST = `
  SELECT nspname AS name, obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace
   WHERE nspname > $1::text COLLATE "C" AND (nspname !~ '^(pg_|_?tenancy)' OR starts_with(nspname, '${RETAINED}'))
     AND nspname NOT IN ('information_schema', 'public', $2)
   ORDER BY nspname LIMIT $3`;

export async function listSchemas(
  client: Client,
  page: { readonly after: string | null; readonly limit: number },
  extensionsSchema: string,
): Promise<readonly { readonly name: string; readonly marker: MarkerComment | null }[]> {
  const { rows } = await client.query<{ name: string; comment: string | null }>(LIST, [page.after ?? '', extensionsSchema, page.limit]);
  return rows.map(({ name, comment }) => ({ name, marker: parseMarker(comment) }));
}
