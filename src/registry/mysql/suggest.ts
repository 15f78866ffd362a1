import { editDistance } from '../../util/edit-distance.js';
import type { RegistryConnection } from './connection.js';
import { listIds } from './json.js';

const NEIGHBOURS = 50;
const SUGGESTIONS = 3;

/**
 * Ids like this one, of tenants that aren't deprovisioned. Never looks at the whole fleet: the candidates are the neighbours in the order
 * of ids and of reversed ids, which share the longest beginnings and ends with it, and the ids that one letter too many
 * or two letters exchanged would make of it. So at most some three hundred look-ups in an index.
 */
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
  const farthest = Math.max(1, Math.floor(wanted.length / 3));
  return rows
    .map((row) => ({ id: row.id, distance: editDistance(wanted, row.id.toLowerCase()) }))
    .filter(({ distance }) => distance <= farthest)
    .sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map((candidate) => candidate.id);
}

/** The id with each letter left out, and with each two neighbours exchanged. */
function listTypos(id: string): readonly string[] {
  const typos: string[] = [];
  for (let at = 0; at < id.length; at++) {
    typos.push(id.slice(0, at) + id.slice(at + 1));
    typos.push(id.slice(0, at) + id.slice(at + 1, at + 2) + id.slice(at, at + 1) + id.slice(at + 2));
  }
  return typos;
}
