import type { Client } from 'pg';
import type { MarkedLogins } from '../driver.js';
import { bareMarker } from '../marker.js';
import { parseMarker } from './marker.js';

/** What a role has that would keep it from being dropped, in whichever database; that others are its members does not. */
const READ_MARKED = `
  SELECT rolname AS name, shobj_description(r.oid, 'pg_authid') AS comment,
         EXISTS (SELECT FROM pg_shdepend d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.classid <> 'pg_auth_members'::regclass)
           OR EXISTS (SELECT FROM pg_stat_activity a WHERE a.usesysid = r.oid) AS is_used
    FROM pg_roles r
   WHERE rolname ~ '^t_[0-9a-f]{24}(_[ab])?$' AND starts_with(shobj_description(r.oid, 'pg_authid'), 'tenancy:{') ORDER BY rolname`;

/** The group and the logins of one life of a tenant together. */
export async function listMarkedLogins(client: Client, registry: string): Promise<readonly MarkedLogins[]> {
  const { rows } = await client.query<{ name: string; comment: string | null; is_used: boolean }>(READ_MARKED);
  const found = new Map<string, MarkedLogins>();
  for (const { name, comment, is_used } of rows) {
    const marker = parseMarker(comment);
    if (marker === null || marker.registry !== registry) continue;
    const { names = [], isUnused = true } = found.get(marker.operation) ?? {};
    found.set(marker.operation, { names: [...names, name], home: null, marker: bareMarker(marker), isUnused: isUnused && !is_used });
  }
  return [...found.values()];
}
