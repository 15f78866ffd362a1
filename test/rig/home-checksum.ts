import { createHash } from 'node:crypto';
import { Client, escapeIdentifier } from 'pg';
import { withDatabase } from './postgres.js';

export interface Home {
  readonly driver: 'postgres-schema' | 'postgres-database';
  readonly name: string;
}

/** Everything in a tenant's home that somebody could miss: its marker, relations, columns, indexes, and every row. */
export async function checksumHome(clusterUrl: string, home: Home): Promise<string> {
  const isDatabase = home.driver === 'postgres-database';
  const client = new Client({ connectionString: isDatabase ? withDatabase(clusterUrl, home.name) : clusterUrl, application_name: 'rig' });
  await client.connect();
  try {
    const hash = createHash('sha256');
    const schemas = isDatabase ? [] : [home.name];
    for (const text of [MARKER, RELATIONS, INDEXES, ROUTINES]) {
      const { rows } = await client.query({ text, values: text === MARKER ? [home.name] : [schemas], rowMode: 'array' });
      hash.update(JSON.stringify(rows));
    }
    const { rows: tables } = await client.query<{ schema: string; name: string }>(TABLES, [schemas]);
    for (const { schema, name } of tables) {
      const table = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;
      const { rows } = await client.query<{ digest: string }>(
        `SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")) AS digest FROM ${table} t`,
      );
      hash.update(`${table} ${rows[0]?.digest ?? ''}\n`);
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
const TABLES = `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND ${OURS} ORDER BY 1, 2`;
