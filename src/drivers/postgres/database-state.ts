import type { Client } from 'pg';
import { NOBODY } from '../../tenant.js';
import type { BegunHome, TenantTarget } from '../driver.js';
import { assertComment, type MarkerComment, parseMarker } from './marker.js';
import { quoteText } from './quote.js';
import { DRAFT, DROPPED, draftName, droppedName } from './working-names.js';

export interface DatabaseState {
  readonly marker: MarkerComment | null;
  readonly comment: string | null;
  /** False: ALLOW_CONNECTIONS false, or a DROP DATABASE was interrupted. */
  readonly isConnectable: boolean;
  /** A DROP DATABASE was interrupted half way; all that can be done with it is to drop it. */
  readonly isHalfDropped: boolean;
  readonly isTemplate: boolean;
}

/** The tenant's database and the one it is made under, as they are now. */
export interface HomeState {
  readonly home: DatabaseState | null;
  readonly draft: DatabaseState | null;
  /** Under the name that it is given for the drop. */
  readonly dropping: DatabaseState | null;
}

/** A draft carries no marker: it is given one as it gets its name. Whose it is the operation tells. */
export async function listDrafts(client: Client): Promise<readonly BegunHome[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE starts_with(datname, '${DRAFT}') AND shobj_description(oid, 'pg_database') IS NULL ORDER BY 1`,
  );
  // No database is called as the target is, so that the draft alone is dropped.
  return rows.map(({ name }) => ({ shown: name, name: `${name}_none`, tenant: null, operation: name.slice(DRAFT.length), isHome: false }));
}

/** `datconnlimit` -2 marks a half-dropped database since 11.21, 12.16, 13.12, 14.9, 15.4 and 16. */
const READ_STATE = `
  SELECT datname AS name, shobj_description(oid, 'pg_database') AS comment, datallowconn AND datconnlimit <> -2 AS is_connectable,
         datconnlimit = -2 AS is_half_dropped, datistemplate AS is_template
    FROM pg_database WHERE datname = ANY ($1::text[])`;

interface StateRow {
  readonly name: string;
  readonly comment: string | null;
  readonly is_connectable: boolean;
  readonly is_half_dropped: boolean;
  readonly is_template: boolean;
}

export async function readHome(client: Client, target: TenantTarget): Promise<HomeState> {
  const { operation } = target.marker;
  const found = await readDatabases(client, [target.name, draftName(operation), droppedName(operation)]);
  const read = (name: string): DatabaseState | null => found.get(name) ?? null;
  return { home: read(target.name), draft: read(draftName(operation)), dropping: read(droppedName(operation)) };
}

/** Those that are there, by name; in one round trip. */
export async function readDatabases(client: Client, names: readonly string[]): Promise<ReadonlyMap<string, DatabaseState>> {
  const { rows } = await client.query<StateRow>(READ_STATE, [names]);
  return new Map(
    rows.map((row) => [
      row.name,
      {
        marker: parseMarker(row.comment),
        comment: row.comment,
        isConnectable: row.is_connectable,
        isHalfDropped: row.is_half_dropped,
        isTemplate: row.is_template,
      },
    ]),
  );
}

/** Fails where the database isn't the one that was looked at, in the transaction that changes it; as `assertSchemaMarker`. */
export function assertDatabaseMarker(name: string, state: DatabaseState | null): string {
  const found = `(SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = ${quoteText(name)})`;
  return assertComment(found, state?.comment ?? null);
}

/** A template that is complete, and this registry's. */
export function isTemplateOf(registry: string, state: DatabaseState | undefined): boolean {
  return state !== undefined && isMadeAhead(registry, state) && state.isTemplate && !state.isConnectable && !state.isHalfDropped;
}

/** A template of this registry, or what is left of one. */
export function isMadeAhead(registry: string, { marker }: DatabaseState): boolean {
  return marker?.registry === registry && marker.tenant === NOBODY.template;
}

/** Asked inside of the database: nothing but what every new one has, and our history. */
export const READ_IS_EMPTY = `
  SELECT NOT EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', '_tenancy'))
     AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = to_regnamespace('public')
                        AND classid <> 'pg_default_acl'::regclass) AS is_empty`;

/** In the order of bytes. Templates, `postgres`, half-made databases and the one that the cluster's URL names are left out, but not what is on its way out. */
const LIST = `
  SELECT datname AS name, shobj_description(oid, 'pg_database') AS comment FROM pg_database
   WHERE datname > $1::text COLLATE "C" AND NOT datistemplate AND (datname !~ '^_?tenancy' OR starts_with(datname, '${DROPPED}'))
     AND datname NOT IN ('postgres', current_database())
   ORDER BY datname LIMIT $2`;

export async function listDatabases(
  client: Client,
  page: { readonly after: string | null; readonly limit: number },
): Promise<readonly { readonly name: string; readonly marker: MarkerComment | null }[]> {
  const { rows } = await client.query<{ name: string; comment: string | null }>(LIST, [page.after ?? '', page.limit]);
  return rows.map(({ name, comment }) => ({ name, marker: parseMarker(comment) }));
}
