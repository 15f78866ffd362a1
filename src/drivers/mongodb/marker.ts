import type { Marker } from '../driver.js';

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

/** The marker without what is only kept beside it. */
export function bareMarker({ tenant, registry, operation }: Marker): Marker {
  return { tenant, registry, operation };
}
