import type { Marker } from '../driver.js';

/** As it stands in the state table of a home. */
export function formatMarker({ tenant, registry, operation }: Marker): string {
  return JSON.stringify({ tenant, registry, operation });
}

/** Null for what isn't a marker of ours. */
export function parseMarker(text: string | null | undefined): Marker | null {
  const value = parseJson(text ?? '');
  if (typeof value !== 'object' || value === null) return null;
  const { tenant, registry, operation } = value as Record<string, unknown>;
  if (typeof tenant !== 'string' || typeof registry !== 'string' || typeof operation !== 'string') return null;
  return { tenant, registry, operation };
}

export function isSameMarker(a: Marker, b: Marker): boolean {
  return a.tenant === b.tenant && a.registry === b.registry && a.operation === b.operation;
}

/** Ends the sentence "the database x is already there, and …". */
export function describeOwner(marker: Marker | null, ours: Marker): string {
  if (marker === null) return 'was not made by tenancy';
  if (marker.registry !== ours.registry) return `belongs to tenant ${marker.tenant} of another registry`;
  if (marker.tenant !== ours.tenant) return `belongs to tenant ${marker.tenant}`;
  return `belongs to an earlier life of tenant ${marker.tenant}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
