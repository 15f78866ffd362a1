import { quoteText } from './quote.js';

/**
 * What is in a schema, or in all of a database, found by what PostgreSQL records of its namespace: by an index, whereas no catalogue has one of
 * namespaces, and to read them whole for each of thousands of schemas would take the square of their number.
 * `objects`, and of these `relations` (`c`, with `nspname`): tables, views, sequences and composite types, without those of extensions and ours.
 */
export function withObjects(schema: string | null): string {
  const isHome =
    schema === null ? `nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '_tenancy')` : `nspname = ${quoteText(schema)}`;
  return `WITH homes AS MATERIALIZED (SELECT oid, nspname::text AS nspname FROM pg_namespace WHERE ${isHome}),
  objects AS MATERIALIZED (
    SELECT d.classid, d.objid, n.nspname FROM homes n JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.deptype = 'n'
     WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')),
  relations AS MATERIALIZED (
    SELECT c.*, o.nspname FROM objects o JOIN pg_class c ON c.oid = o.objid
     WHERE o.classid = 'pg_class'::regclass AND c.relname NOT IN ('_tenancy_migrations', '_tenancy_state')
    UNION ALL SELECT c.*, o.nspname FROM objects o JOIN pg_type t ON t.oid = o.objid JOIN pg_class c ON c.oid = t.typrelid
     WHERE o.classid = 'pg_type'::regclass AND c.relkind = 'c')`;
}

/**
 * One row for each thing in a schema, or in all of a database: its kind, its name, what it is a part of, and its definition as PostgreSQL itself
 * writes it. What belongs to an extension is left out, and so are our own tables, comments, owners, rights, and what an entry implies:
 * the index of a constraint, the NOT NULL constraints that PostgreSQL 18 counts on their own, the type of a table's rows.
 *
 * The names of columns are compared and not their order, which differs where one was taken back and made again.
 */
export function readStructure(schema: string | null): string {
  const plain = schema === null ? `'public'` : quoteText(schema);
  const named = (name: string, of = 'c'): string =>
    `CASE WHEN ${of}.nspname = ${plain} THEN ${name} ELSE ${of}.nspname || '.' || ${name} END`;
  const object = (catalogue: string, alias: string): string =>
    `objects o JOIN ${catalogue} ${alias} ON o.classid = '${catalogue}'::regclass AND ${alias}.oid = o.objid`;
  const table = `CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'c' THEN 'type ' ELSE 'table ' END || ${named('c.relname')}`;
  const parts = [
    `SELECT 'schema' AS kind, n.nspname AS name, NULL::text AS "of", '' AS definition FROM homes n
      WHERE ${schema === null} AND n.nspname <> 'public' AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')`,
    `SELECT 'extension', x.extname::text, NULL, '' FROM pg_extension x WHERE ${schema === null ? `x.extname <> 'plpgsql'` : 'x.extnamespace IN (SELECT oid FROM homes)'}`,
    `SELECT 'table', ${named('c.relname')}, NULL, concat_ws(', ', CASE c.relkind WHEN 'p' THEN 'partitioned by ' || pg_get_partkeydef(c.oid) WHEN 'f' THEN 'foreign' ELSE 'a table' END,
            CASE c.relpersistence WHEN 'u' THEN 'unlogged' END, 'partition ' || pg_get_expr(c.relpartbound, c.oid),
            (SELECT 'inherits ' || string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid),
            CASE WHEN c.relrowsecurity THEN 'row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced row security' END,
            CASE WHEN c.relreplident <> 'd' THEN 'replica identity ' || c.relreplident::text END, 'with ' || array_to_string(c.reloptions, ', '))
       FROM relations c WHERE c.relkind IN ('r', 'p', 'f')`,
    `SELECT 'column', a.attname::text, ${table}, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || a.attcollation::regcollation::text END, CASE WHEN a.attnotnull THEN 'NOT NULL' END,
            CASE WHEN a.attidentity <> '' THEN 'GENERATED ' || CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END || ' AS IDENTITY'
                 WHEN a.attgenerated <> '' THEN 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') ' || CASE a.attgenerated::text WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END
                 ELSE 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END)
       FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE c.relkind IN ('r', 'p', 'f', 'c')`,
    `SELECT 'constraint', k.conname::text, ${table}, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN relations c ON c.oid = k.conrelid
      WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0`,
    `SELECT 'index', x.relname::text, ${table}, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN relations c ON c.oid = i.indrelid
      WHERE x.relname !~ '_cc(new|old)[0-9]*$' AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
        AND NOT x.relispartition`,
    `SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, ${named('c.relname')}, NULL,
            concat_ws(' ', pg_get_viewdef(c.oid, true), 'with ' || array_to_string(c.reloptions, ', ')) FROM relations c WHERE c.relkind IN ('v', 'm')`,
    `SELECT 'rule', r.rulename::text, ${table}, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN relations c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'`,
    `SELECT 'trigger', g.tgname::text, ${table}, pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ' (disabled)' ELSE ' (' || g.tgenabled::text || ')' END
       FROM pg_trigger g JOIN relations c ON c.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgparentid = 0`,
    `SELECT 'policy', p.polname::text, ${table}, concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for', p.polcmd::text,
            'to', array_to_string(p.polroles::regrole[], ', '), 'using (' || pg_get_expr(p.polqual, p.polrelid) || ')', 'check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
       FROM pg_policy p JOIN relations c ON c.oid = p.polrelid `,
    `SELECT 'sequence', ${named('c.relname')}, NULL, format('%s from %s by %s between %s and %s%s', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
            CASE WHEN s.seqcycle THEN ', cycles' ELSE '' END) FROM pg_sequence s JOIN relations c ON c.oid = s.seqrelid `,
    `SELECT 'statistics', ${named('s.stxname', 'o')}, NULL, pg_get_statisticsobjdef(s.oid) FROM ${object('pg_statistic_ext', 's')}`,
    `SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, ${named(`p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'`, 'o')}, NULL,
            CASE WHEN p.prokind = 'a' THEN format_type(p.prorettype, NULL) ELSE pg_get_functiondef(p.oid) END
       FROM ${object('pg_proc', 'p')}`,
    `SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'type' END, ${named('t.typname', 'o')}, NULL,
            CASE t.typtype WHEN 'e' THEN (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
                 WHEN 'r' THEN (SELECT format_type(rngsubtype, NULL) FROM pg_range WHERE rngtypid = t.oid)
                 WHEN 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || t.typdefault,
                   (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) ELSE '' END
       FROM ${object('pg_type', 't')} LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))`,
  ];
  return `${withObjects(schema)} SELECT kind, name, "of", definition FROM (${parts.join('\n UNION ALL ')}) AS found ORDER BY kind COLLATE "C", "of" COLLATE "C" NULLS FIRST, name COLLATE "C"`;
}
