import type { Client } from 'pg';
import { isDirectConnection } from '../../util/direct-connection.js';
import type { HomeInspection, HomeRight, Mendable, SessionOptions, StructureItem, TenantTarget } from '../driver.js';
import { loginNames } from '../login-names.js';
import { type EngineContext, sendTransaction, withClient } from './engine-context.js';
import { quoteName, quotePath, quoteText } from './quote.js';
import { readStructure, withObjects } from './structure-sql.js';

/** What differs between the two kinds of home. */
export interface InspectedHome {
  /** Null: the one that the cluster's URL names. */
  readonly database: string | null;
  /** Null: all schemas of the database but the engine's and ours. */
  readonly schema: string | null;
  readonly extensionsSchema: string | null;
}

type Row = { readonly kind: string; readonly name: string; readonly of: string | null; readonly definition: string | null };

/** In one message: a transaction that reads, and nothing else. */
export async function inspectHome(
  context: EngineContext,
  { name, marker }: TenantTarget,
  home: InspectedHome,
  { structure }: { readonly structure: boolean },
  signal: AbortSignal,
): Promise<HomeInspection> {
  return withClient(context, home.database, signal, async (client) => {
    const path = home.schema === null ? `''` : quotePath([home.schema, ...(home.extensionsSchema === null ? [] : [home.extensionsSchema])]);
    const statements = [
      'BEGIN READ ONLY',
      `SET LOCAL search_path TO ${path}`,
      `SELECT quote_ident(${quoteText(name)}) AS name`,
      readInvalidIndexes(home.schema),
      home.schema === null ? readDatabaseRights(name) : readSchemaRights(home.schema),
      readLacking(name, home.schema, loginNames(marker).group),
      ...(structure ? [readStructure(home.schema)] : []),
      'COMMIT',
    ];
    const answers = (await client.query(statements.join(';\n')).catch(async (error: unknown) => {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    })) as unknown as readonly { readonly rows: readonly unknown[] }[];
    const [, , names, indexes, rights, lacking, items] = answers.map(({ rows }) => rows);
    return {
      nameInText: (names as readonly { name: string }[])[0]?.name ?? name,
      quotedName: quoteName(name),
      invalidIndexes: (indexes as readonly { name: string; table: string; can_mend: boolean }[]).map((row) => ({
        name: row.name,
        table: row.table,
        canMend: row.can_mend,
      })),
      rights: (rights as readonly RightRow[]).map((row) => toRight(row, name)),
      lacking: (lacking as readonly { what: string }[]).map(({ what }) => what),
      structure: structure ? (items as readonly Row[]).map(toItem) : null,
    };
  });
}

const LACKING = 5;

/** No row where there is no such role. Our own tables are no business of the application's. */
function readLacking(name: string, schema: string | null, group: string): string {
  const role = `(SELECT oid FROM pg_roles WHERE rolname = ${quoteText(group)})`;
  return `${withObjects(schema)} SELECT what FROM (
    SELECT 1 AS place, 'CONNECT on the database' AS what FROM pg_database d WHERE d.datname = ${schema === null ? quoteText(name) : 'NULL'} AND NOT has_database_privilege(${role}, d.oid, 'CONNECT')
    UNION ALL SELECT 2, 'USAGE on the schema ' || n.nspname FROM homes n WHERE NOT has_schema_privilege(${role}, n.oid, 'USAGE')
    UNION ALL SELECT 3, p.privilege || ' on ' || c.relname FROM relations c CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) p (privilege)
      WHERE c.relkind IN ('r', 'p') AND NOT has_table_privilege(${role}, c.oid, p.privilege)
  ) AS lacking ORDER BY place, what LIMIT ${LACKING}`;
}

function toItem({ kind, name, of, definition }: Row): StructureItem {
  return { kind, name, of, definition: definition ?? '' };
}

/** `name` as it has to be written in a statement. Of a partitioned table one is valid when those of all partitions are. */
function readInvalidIndexes(schema: string | null): string {
  return `${withObjects(schema)} SELECT format('%I.%I', t.nspname, c.relname) AS name, t.relname AS "table", c.relkind = 'i' AND NOT i.indisexclusion AS can_mend
  FROM relations t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) ORDER BY 1`;
}

function isIn(schema: string | null): string {
  return schema === null ? `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'` : `n.nspname = ${quoteText(schema)}`;
}

interface RightRow {
  /** Null: PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string;
  readonly kind: 'SCHEMA' | 'DATABASE';
  readonly name: string;
}

const SCHEMA_RIGHTS = (filter: string): string =>
  `SELECT r.rolname AS grantee, a.privilege_type AS privilege, 'SCHEMA' AS kind, n.nspname AS name
     FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE ${filter} AND a.grantee <> n.nspowner AND (a.grantee = 0 OR r.oid IS NOT NULL)`;

function readSchemaRights(schema: string): string {
  return `${SCHEMA_RIGHTS(isIn(schema))} ORDER BY 1 NULLS FIRST, 2`;
}

function readDatabaseRights(name: string): string {
  return `SELECT r.rolname AS grantee, a.privilege_type AS privilege, 'DATABASE' AS kind, d.datname AS name
     FROM pg_database d CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE d.datname = ${quoteText(name)} AND a.grantee <> d.datdba AND (a.grantee = 0 OR r.oid IS NOT NULL)
   UNION ALL ${SCHEMA_RIGHTS(`${isIn(null)} AND n.nspname <> '_tenancy'`)} ORDER BY 1 NULLS FIRST, 3, 4, 2`;
}

function toRight({ grantee, privilege, kind, name }: RightRow, home: string): HomeRight {
  const whom = grantee === null ? 'PUBLIC' : quoteName(grantee);
  const what = kind === 'DATABASE' ? 'the database' : name === home ? 'the schema' : `the schema ${name}`;
  return { grantee, right: `${privilege} on ${what}`, revoke: `REVOKE ${privilege} ON ${kind} ${quoteName(name)} FROM ${whom}` };
}

export async function mendHome(
  context: EngineContext,
  home: InspectedHome,
  what: Mendable,
  { lockTimeoutMs, signal }: Pick<SessionOptions, 'lockTimeoutMs' | 'signal'>,
): Promise<string> {
  return withClient(context, home.database, signal, async (client) => {
    if (what.type === 'right') {
      await sendTransaction(client, `SET LOCAL lock_timeout TO ${lockTimeoutMs}; ${what.right.revoke}`);
      return what.right.revoke;
    }
    // A rebuild is no transaction, and behind a pooler the setting would reach other clients.
    const isDirect = await isDirectConnection(client);
    if (isDirect) await client.query(`SET lock_timeout TO ${lockTimeoutMs}`);
    try {
      return await mendIndex(client, what.name);
    } finally {
      if (isDirect) await client.query('RESET lock_timeout');
    }
  });
}

/** What `REINDEX CONCURRENTLY` leaves where it is broken off: of no use beside the index that it was to take the place of. */
const LEFTOVER = /_cc(new|old)\d*"?$/;

async function mendIndex(client: Client, name: string): Promise<string> {
  const isInvalid = async (index: string): Promise<boolean> => {
    const { rows } = await client.query(
      'SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT (indisvalid AND indisready AND indislive)',
      [index],
    );
    return rows.length > 0;
  };
  if (!(await isInvalid(name))) return 'somebody has rebuilt it meanwhile';
  if (LEFTOVER.test(name)) {
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
    return 'dropped: it was left by a rebuild that was broken off';
  }
  try {
    await client.query(`REINDEX INDEX CONCURRENTLY ${name}`);
  } catch (error) {
    const left = name.endsWith('"') ? `${name.slice(0, -1)}_ccnew"` : `${name}_ccnew`;
    if (await isInvalid(left)) await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${left}`).catch(() => undefined);
    throw error;
  }
  return 'rebuilt with REINDEX CONCURRENTLY';
}
