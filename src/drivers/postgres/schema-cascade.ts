import type { Client } from 'pg';
import { MARKER_PREFIX } from './marker.js';

/** What `DROP SCHEMA … CASCADE` would take with it. */
export interface CascadeReach {
  /** How many objects in all: each holds a place in the lock table until the transaction ends. */
  readonly objects: number;
  /** What others would lose, in sentences for people; the first of them where there are many. */
  readonly beyond: readonly string[];
}

const LISTED = 20;

/**
 * The set that PostgreSQL's own findDependentObjects would drop (src/backend/catalog/dependency.c), read from pg_depend:
 * what depends on an object goes with it; and what is only a part of something (an internal dependency, 'i', as a rule is of its
 * view) or a member of an extension ('e') takes the whole with it.
 */
const CLOSURE = `
  WITH RECURSIVE cascade(classid, objid, objsubid) AS (
      SELECT 'pg_namespace'::regclass::oid, oid, 0 FROM pg_namespace WHERE nspname = $1
    UNION
      SELECT next.classid, next.objid, next.objsubid FROM cascade c CROSS JOIN LATERAL (
          SELECT d.classid, d.objid, d.objsubid FROM pg_depend d
           WHERE d.refclassid = c.classid AND d.refobjid = c.objid AND (c.objsubid = 0 OR d.refobjsubid = c.objsubid)
        UNION ALL
          SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_depend d
           WHERE d.classid = c.classid AND d.objid = c.objid AND d.deptype IN ('i', 'e') AND c.objsubid = 0
             AND c.classid <> 'pg_namespace'::regclass
      ) AS next
  )`;

/**
 * The schema that an object lives in, or that of the table it stands on; 0 for what belongs to the whole database, as a server or a language
 * does. Null for what goes with something that is found itself: a view's rule with the view, the internal triggers of a foreign key,
 * on whichever table they are, with the key, and what only joins types with a type of the schema.
 */
const HOME = `
  CASE classid
    WHEN 'pg_class'::regclass THEN (SELECT relnamespace FROM pg_class WHERE oid = objid)
    WHEN 'pg_type'::regclass THEN (SELECT typnamespace FROM pg_type WHERE oid = objid)
    WHEN 'pg_proc'::regclass THEN (SELECT pronamespace FROM pg_proc WHERE oid = objid)
    WHEN 'pg_constraint'::regclass THEN (SELECT connamespace FROM pg_constraint WHERE oid = objid)
    WHEN 'pg_attrdef'::regclass THEN (SELECT relnamespace FROM pg_attrdef a JOIN pg_class c ON c.oid = adrelid WHERE a.oid = objid)
    WHEN 'pg_policy'::regclass THEN (SELECT relnamespace FROM pg_policy p JOIN pg_class c ON c.oid = polrelid WHERE p.oid = objid)
    WHEN 'pg_trigger'::regclass THEN (SELECT relnamespace FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE t.oid = objid AND NOT tgisinternal)
    WHEN 'pg_rewrite'::regclass THEN (SELECT relnamespace FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class WHERE r.oid = objid AND rulename <> '_RETURN')
    WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxnamespace FROM pg_statistic_ext WHERE oid = objid)
    WHEN 'pg_operator'::regclass THEN (SELECT oprnamespace FROM pg_operator WHERE oid = objid)
    WHEN 'pg_opclass'::regclass THEN (SELECT opcnamespace FROM pg_opclass WHERE oid = objid)
    WHEN 'pg_opfamily'::regclass THEN (SELECT opfnamespace FROM pg_opfamily WHERE oid = objid)
    WHEN 'pg_amop'::regclass THEN (SELECT opfnamespace FROM pg_amop m JOIN pg_opfamily f ON f.oid = amopfamily WHERE m.oid = objid AND NOT ${isOfSchema('amoplefttype', 'amoprighttype')})
    WHEN 'pg_amproc'::regclass THEN (SELECT opfnamespace FROM pg_amproc m JOIN pg_opfamily f ON f.oid = amprocfamily WHERE m.oid = objid AND NOT ${isOfSchema('amproclefttype', 'amprocrighttype')})
    WHEN 'pg_cast'::regclass THEN (SELECT 0::oid FROM pg_cast WHERE oid = objid AND NOT ${isOfSchema('castsource', 'casttarget')})
    WHEN 'pg_transform'::regclass THEN (SELECT 0::oid FROM pg_transform WHERE oid = objid AND NOT ${isOfSchema('trftype')})
    WHEN 'pg_collation'::regclass THEN (SELECT collnamespace FROM pg_collation WHERE oid = objid)
    WHEN 'pg_conversion'::regclass THEN (SELECT connamespace FROM pg_conversion WHERE oid = objid)
    WHEN 'pg_ts_config'::regclass THEN (SELECT cfgnamespace FROM pg_ts_config WHERE oid = objid)
    WHEN 'pg_ts_dict'::regclass THEN (SELECT dictnamespace FROM pg_ts_dict WHERE oid = objid)
    WHEN 'pg_ts_parser'::regclass THEN (SELECT prsnamespace FROM pg_ts_parser WHERE oid = objid)
    WHEN 'pg_ts_template'::regclass THEN (SELECT tmplnamespace FROM pg_ts_template WHERE oid = objid)
    WHEN 'pg_extension'::regclass THEN (SELECT extnamespace FROM pg_extension WHERE oid = objid)
    WHEN 'pg_namespace'::regclass THEN objid
    WHEN 'pg_publication_rel'::regclass THEN (SELECT relnamespace FROM pg_publication_rel p JOIN pg_class c ON c.oid = prrelid WHERE p.oid = objid)
    WHEN to_regclass('pg_publication_namespace') THEN NULL
    WHEN 'pg_default_acl'::regclass THEN NULL
    WHEN 'pg_user_mapping'::regclass THEN NULL
    ELSE 0::oid
  END`;

function isOfSchema(...types: readonly string[]): string {
  return `EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname = $1 AND t.oid IN (${types.join(', ')}))`;
}

/** A tenant's whose rows were put into a partition in this schema; one of nobody's may well have a partition for each tenant. */
const ROWS_OF_OTHERS = `
  SELECT format('%s keeps rows in it, in %s: detach the partition first', pg_describe_object('pg_class'::regclass, p.oid, 0), pg_describe_object('pg_class'::regclass, c.oid, 0))
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid JOIN pg_class p ON p.oid = inhparent JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE nspname = $1 AND c.relispartition AND c.relkind IN ('r', 'p', 'f') AND p.relnamespace <> c.relnamespace
     AND starts_with(obj_description(p.relnamespace, 'pg_namespace'), '${MARKER_PREFIX}')`;

/**
 * Toast tables and other sessions' temporary ones are left out, and so is what is a part of something that is listed itself: the
 * type of a view, the indexes of a table. What an extension has made goes with it, but for an event trigger, which all of the database is without then.
 */
const READ_REACH = `${CLOSURE},
  members AS (SELECT DISTINCT classid, objid, objsubid, ${HOME} AS home FROM cascade),
  beyond AS (
    SELECT classid, objid, objsubid FROM members
     WHERE home <> (SELECT oid FROM pg_namespace WHERE nspname = $1)
       AND home NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast|temp)')
       AND NOT (home = 0 AND classid <> 'pg_event_trigger'::regclass AND EXISTS (
         SELECT FROM pg_depend d WHERE d.classid = members.classid AND d.objid = members.objid AND d.deptype = 'e'))
  ),
  outside AS (
    SELECT pg_describe_object(classid, objid, objsubid) || ' lies outside of it and would be dropped with it' AS reason FROM beyond b WHERE NOT EXISTS (
      SELECT FROM pg_depend d JOIN beyond owner ON d.refclassid = owner.classid AND d.refobjid = owner.objid AND owner.objsubid = 0
       WHERE d.classid = b.classid AND d.objid = b.objid AND d.deptype IN ('i', 'a'))
    UNION ALL ${ROWS_OF_OTHERS}
  )
  SELECT (SELECT count(*)::int FROM members WHERE objsubid = 0) AS objects, (SELECT count(*)::int FROM outside) AS total,
         ARRAY(SELECT reason FROM outside ORDER BY reason COLLATE "C" LIMIT ${LISTED}) AS listed`;

export async function findReach(client: Client, schema: string): Promise<CascadeReach> {
  const { rows } = await client.query<{ objects: number; total: number; listed: string[] }>(READ_REACH, [schema]);
  const { objects, total, listed } = rows[0] ?? { objects: 0, total: 0, listed: [] };
  return { objects, beyond: total > listed.length ? [...listed, `and ${total - listed.length} more`] : listed };
}
