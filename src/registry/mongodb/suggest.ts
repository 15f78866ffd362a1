import type { Filter } from 'mongodb';
import { listTypos, NEIGHBOURS, pickSuggestions } from '../suggestions.js';
import type { RegistryConnection } from './connection.js';
import type { TenantDocument } from './documents.js';
import { reverseId } from './tenant-document.js';

/** Ids like this one, of tenants that aren't deprovisioned. */
export async function suggestTenants({ collections, send }: RegistryConnection, id: string): Promise<readonly string[]> {
  const wanted = id.toLowerCase();
  const find = (filter: Filter<TenantDocument>, sort: Record<string, 1 | -1>, limit = NEIGHBOURS) =>
    send(() => collections.tenants.find(filter).sort(sort).limit(limit).project<Candidate>({ status: 1 }).toArray());
  const typos = listTypos(wanted);
  const found = await Promise.all([
    find({ idLower: { $gte: wanted } }, { idLower: 1 }),
    find({ idLower: { $lt: wanted } }, { idLower: -1 }),
    find({ idReversed: { $gte: reverseId(wanted) } }, { idReversed: 1 }),
    find({ idReversed: { $lt: reverseId(wanted) } }, { idReversed: -1 }),
    find({ idLower: { $in: typos } }, { idLower: 1 }, typos.length + 1),
  ]);
  const ids = new Set(found.flatMap((candidates) => candidates.filter(({ status }) => status !== 'deprovisioned').map(({ _id }) => _id)));
  return pickSuggestions(wanted, [...ids]);
}

type Candidate = Pick<TenantDocument, '_id' | 'status'>;
