import type { LeftByTool } from '../../driver.js';
import { bareMarker } from '../../marker.js';
import { type EngineContext, withClient } from '../engine-context.js';
import { parseMarker } from '../marker.js';

/** By the names that `lend-login.ts` and `rename-in-database.ts` give. */
const LIST = `
  SELECT 'login' AS kind, rolname AS name, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname ~ '^tenancy_(dump|load)_[0-9a-f]{24}$'
  UNION ALL
  SELECT 'database', datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE starts_with(datname, 'tenancy_restore_') ORDER BY name`;

export async function listLeft(context: EngineContext, registry: string): Promise<readonly LeftByTool[]> {
  return withClient(context, null, undefined, async (client) => {
    const { rows } = await client.query<{ kind: LeftByTool['kind']; name: string; comment: string | null }>(LIST);
    return rows.flatMap(({ kind, name, comment }) => {
      const marker = parseMarker(comment);
      return marker?.registry === registry ? [{ kind, name, marker: bareMarker(marker) }] : [];
    });
  });
}
