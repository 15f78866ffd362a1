import type { Filter } from 'mongodb';
import { editDistance } from '../../util/edit-distance.js';
import type { RegistryConnection } from './connection.js';
import type { TenantDocument } from './documents.js';
import { reverseId } from './tenant-document.js';

const NEIGHBOURS = 50;
const SUGGESTIONS = 3;

/**
 * Ids like this one, of tenants that aren't deprovisioned. Never looks at the whole fleet: the candidates are the neighbours in the order
 * of ids and of reversed ids, which share the longest beginnings and ends with it, and the ids that one letter too many
 * or two letters exchanged would make of it. So at most some three hundred look-ups in an index.
 */
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
  const farthest = Math.max(1, Math.floor(wanted.length / 3));
  return [...ids]
    .map((candidate) => ({ id: candidate, distance: editDistance(wanted, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= farthest)
    .sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map((candidate) => candidate.id);
}

type Candidate = Pick<TenantDocument, '_id' | 'status'>;

/** The id with each letter left out, and with each two neighbours exchanged. */
function listTypos(id: string): readonly string[] {
  const typos: string[] = [];
  for (let at = 0; at < id.length; at++) {
    typos.push(id.slice(0, at) + id.slice(at + 1));
    typos.push(id.slice(0, at) + id.slice(at + 1, at + 2) + id.slice(at, at + 1) + id.slice(at + 2));
  }
  return typos;
}
