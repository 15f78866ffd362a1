import { listTypos, NEIGHBOURS, pickSuggestions } from '../suggestions.js';
import type { RegistryConnection } from './connection.js';

/** Ids like this one, of tenants that aren't deprovisioned. */
export async function suggestTenants(db: RegistryConnection, id: string): Promise<readonly string[]> {
  const wanted = id.toLowerCase();
  const rows = await db.query<{ id: string }>(
    `WITH candidate AS (
       (SELECT id, status FROM tenancy.tenants WHERE lower(id) >= $1 ORDER BY lower(id) LIMIT $4)
       UNION (SELECT id, status FROM tenancy.tenants WHERE lower(id) < $1 ORDER BY lower(id) DESC LIMIT $4)
       UNION (SELECT id, status FROM tenancy.tenants WHERE reverse(lower(id)) >= $2 ORDER BY reverse(lower(id)) LIMIT $4)
       UNION (SELECT id, status FROM tenancy.tenants WHERE reverse(lower(id)) < $2 ORDER BY reverse(lower(id)) DESC LIMIT $4)
       UNION (SELECT id, status FROM tenancy.tenants WHERE lower(id) = ANY ($3::text[]))
     )
     SELECT id FROM candidate WHERE status <> 'deprovisioned'`,
    [wanted, [...wanted].reverse().join(''), listTypos(wanted), NEIGHBOURS],
  );
  return pickSuggestions(
    wanted,
    rows.map((row) => row.id),
  );
}
