import { editDistance } from '../util/edit-distance.js';

// Suggesting never looks at the whole fleet: the candidates are the neighbours in the order of ids and of reversed ids, which share
// the longest beginnings and ends with the wanted one, and the ids that one letter too many or two letters exchanged would make of it.
// So at most some three hundred look-ups in an index.

/** How many neighbours are looked at in each of the four directions. */
export const NEIGHBOURS = 50;

const SUGGESTIONS = 3;

/** The id with each letter left out, and with each two neighbours exchanged. */
export function listTypos(id: string): readonly string[] {
  const typos: string[] = [];
  for (let at = 0; at < id.length; at++) {
    typos.push(id.slice(0, at) + id.slice(at + 1));
    typos.push(id.slice(0, at) + id.slice(at + 1, at + 2) + id.slice(at, at + 1) + id.slice(at + 2));
  }
  return typos;
}

/** The candidates that are like it, most alike first. */
export function pickSuggestions(wanted: string, candidates: readonly string[]): readonly string[] {
  const farthest = Math.max(1, Math.floor(wanted.length / 3));
  return candidates
    .map((id) => ({ id, distance: editDistance(wanted.toLowerCase(), id.toLowerCase()) }))
    .filter(({ distance }) => distance <= farthest)
    .sort((a, b) => a.distance - b.distance || (a.id < b.id ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map(({ id }) => id);
}
