import { listTypos, NEIGHBOURS, pickSuggestions } from '../suggestions.js';
import type { RegistryConnection } from './connection.js';
import { listIds } from './json.js';

/** Ids like this one, of tenants that aren't deprovisioned. */
export async function suggestTenants(db: RegistryConnection, id: string): Promise<readonly string[]> {
  const wanted = id.toLowerCase();
  const reversed = [...wanted].reverse().join('');
  const rows = await db.read<{ id: string }>(
    `SELECT candidate.id FROM (
       (SELECT id, status FROM tenancy_tenants WHERE id_lower >= ? ORDER BY id_lower LIMIT ${NEIGHBOURS})
       UNION (SELECT id, status FROM tenancy_tenants WHERE id_lower < ? ORDER BY id_lower DESC LIMIT ${NEIGHBOURS})
       UNION (SELECT id, status FROM tenancy_tenants WHERE id_reversed >= ? ORDER BY id_reversed LIMIT ${NEIGHBOURS})
       UNION (SELECT id, status FROM tenancy_tenants WHERE id_reversed < ? ORDER BY id_reversed DESC LIMIT ${NEIGHBOURS})
       UNION (SELECT id, status FROM tenancy_tenants WHERE id_lower IN (?))
     ) candidate WHERE candidate.status <> 'deprovisioned'`,
    [wanted, wanted, reversed, reversed, listIds(listTypos(wanted))],
  );
  return pickSuggestions(
    wanted,
    rows.map((row) => row.id),
  );
}
