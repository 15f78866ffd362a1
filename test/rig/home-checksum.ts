import { createHash } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';
import { withDatabase } from './postgres.js';

export interface Home {
  readonly driver: 'postgres-schema' | 'postgres-database';
  readonly name: string;
}

/** Everything in a tenant's home that somebody could miss: its marker, relations, columns, indexes, and every row. */
export async function checksumHome(clusterUrl: string, home: Home): Promise<string> {
  return digest(clusterUrl, home, { isOfLife: true });
}

/**
 * What a backup has to bring back: all of that, and its sequences, keys, triggers, views, comments and grants, but nothing of whose it is or which life it
 * is of. The same for another home, whatever its name.
 */
export async function checksumContents(clusterUrl: string, home: Home): Promise<string> {
  return digest(clusterUrl, home, { isOfLife: false });
}

async function digest(clusterUrl: string, home: Home, { isOfLife }: { readonly isOfLife: boolean }): Promise<string> {
  const isDatabase = home.driver === 'postgres-database';
  const client = new Client({ connectionString: isDatabase ? withDatabase(clusterUrl, home.name) : clusterUrl, application_name: 'rig' });
  await client.connect();
  try {
    const hash = createHash('sha256');
    const schemas = isDatabase ? [] : [home.name];
    const parts = isOfLife ? [MARKER, RELATIONS, INDEXES, ROUTINES] : [RELATIONS, INDEXES, ROUTINES, ...CONTENTS];
    for (const text of parts) {
      const { rows } = await client.query({ text, values: text === MARKER ? [home.name] : [schemas], rowMode: 'array' });
      const written = JSON.stringify(rows);
      hash.update(isOfLife ? written : written.replaceAll(home.name, '<home>'));
    }
    const { rows: tables } = await client.query<{ schema: string; name: string }>(TABLES, [schemas]);
    for (const { schema, name } of tables) {
      const table = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
      const { rows } = await client.query<{ digest: string }>(
        `SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")) AS digest FROM ${table} t${!isOfLife && name === '_tenancy_state' ? ` WHERE type <> 'fence'` : ''}`,
      );
      hash.update(`${isOfLife ? table : name} ${rows[0]?.digest ?? ''}\n`);
    }
    return hash.digest('hex');
  } finally {
    await client.end();
  }
}

/** No schemas: all that a user made in this database. */
const OURS = `(CASE WHEN cardinality($1::text[]) = 0 THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ELSE n.nspname = ANY ($1::text[]) END)`;

const MARKER = `
  SELECT obj_description(to_regnamespace(quote_ident($1::text))::oid, 'pg_namespace'),
         (SELECT (shobj_description(oid, 'pg_database'), datacl, datallowconn)::text FROM pg_database WHERE datname = $1::text)`;
const RELATIONS = `
  SELECT n.nspname, c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE ${OURS} ORDER BY 1, 2, a.attnum`;
const INDEXES = `
  SELECT pg_get_indexdef(i.indexrelid), i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE ${OURS} ORDER BY 1`;
const ROUTINES = `SELECT n.nspname, p.proname, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OURS} ORDER BY 1, 2, 3`;
const CONTENTS = [
  `SELECT n.nspname, c.relname, coalesce(c.relacl::text, ''), obj_description(c.oid, 'pg_class'), c.relrowsecurity, pg_get_viewdef(c.oid)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S') AND ${OURS} ORDER BY 1, 2`,
  `SELECT schemaname, sequencename, last_value, increment_by FROM pg_sequences JOIN pg_namespace n ON n.nspname = schemaname WHERE ${OURS} ORDER BY 1, 2`,
  `SELECT n.nspname, conname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace WHERE ${OURS} ORDER BY 1, 2, 3`,
  `SELECT n.nspname, c.relname, pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT tgisinternal AND ${OURS} ORDER BY 1, 2, 3`,
  `SELECT n.nspname, c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS} ORDER BY 1, 2, 3`,
  `SELECT n.nspname, t.typname, (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)::text
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE typtype IN ('e', 'd') AND ${OURS} ORDER BY 1, 2`,
  `SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy p JOIN pg_class c ON c.oid = polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS} ORDER BY 1`,
  `SELECT n.nspname, coalesce(n.nspacl::text, '') FROM pg_namespace n WHERE ${OURS} ORDER BY 1`,
  `SELECT pg_get_userbyid(defaclrole), defaclobjtype, defaclacl::text FROM pg_default_acl JOIN pg_namespace n ON n.oid = defaclnamespace WHERE ${OURS} ORDER BY 1, 2`,
];
const TABLES = `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND ${OURS} ORDER BY 1, 2`;
