import type { ErrorClass } from './cluster-engine.js';

/** What to type next where a server had no room for a migration: the file need not be what has to be mended. */
export function adviceWithoutRoom(type: ErrorClass): { readonly advice?: string } {
  if (type !== 'resources') return {};
  return { advice: 'give the server more of what it is out of, or let the migration need less; then run the same command again' };
}
