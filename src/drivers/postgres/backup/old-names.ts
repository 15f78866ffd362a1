import type { Client } from 'pg';
import { TenancyError } from '../../../errors.js';
import { quoteName } from '../quote.js';

const NAMED = 5;

/**
 * A rename reaches whatever refers to a schema by its id (columns, defaults, views, keys, SQL-standard bodies), and no text. `names_it`: the text of a
 * routine has the name in it as a word.
 */
const ROUTINES = `
  SELECT p.oid::regprocedure::text AS routine,
         (SELECT substr(setting, 13) FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%') AS path,
         strpos(p.prosrc, $2) > 0 AND p.prosrc ~ ('(^|[^a-zA-Z0-9_$])' || regexp_replace($2, '([^a-zA-Z0-9_])', '\\\\\\1', 'g') || '([^a-zA-Z0-9_$]|$)') AS names_it
    FROM pg_proc p WHERE p.pronamespace = $1::regnamespace AND p.prokind <> 'a' ORDER BY 1`;

/**
 * The statement that renames a schema, and those that go with it in one transaction: a routine's own `SET search_path` follows.
 * @throws TenancyError `TENANCY_RESTORE_REFUSED` where the text of a routine names the schema: it would go on working on the home of whoever has the name.
 */
export async function planRename(client: Client, tenant: string, from: string, to: string): Promise<string> {
  const { rows } = await client.query<{ routine: string; path: string | null; names_it: boolean }>(ROUTINES, [quoteName(from), from]);
  const bound = rows.filter(({ names_it }) => names_it).map(({ routine }) => routine);
  if (bound.length > 0) throw refusal(tenant, from, bound);
  const statements = rows.flatMap(({ routine, path }) => {
    const schemas = path === null ? [] : readPath(path);
    if (!schemas.includes(from)) return [];
    const renamed = schemas.map((schema) => quoteName(schema === from ? to : schema));
    return [`ALTER ROUTINE ${routine} SET search_path TO ${renamed.join(', ')}`];
  });
  return [...statements, `ALTER SCHEMA ${quoteName(from)} RENAME TO ${quoteName(to)}`].join('; ');
}

/** As it is kept: `tenant_a, "Odd, name", pg_temp`. */
function readPath(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(([word, quoted]) => quoted?.replaceAll('""', '"') ?? word);
}

function refusal(tenant: string, old: string, bound: readonly string[]): TenancyError {
  const shown = bound.slice(0, NAMED).join(', ');
  const others = bound.length > NAMED ? ` and ${bound.length - NAMED} more` : '';
  return new TenancyError('TENANCY_RESTORE_REFUSED', {
    tenant,
    reason: `under another name ${shown}${others} would go on working on ${old}, which ${bound.length === 1 ? 'its text names' : 'their texts name'}`,
    next: `restore it under its own id, or have these name no schema before it is backed up (a tenant's search_path finds its own); \`tenancy tenant deprovision ${tenant} --skip-backup\` frees what was begun`,
  });
}
