import { NOBODY } from '../tenant.js';
import type { Marker } from './driver.js';

export function isSameMarker(a: Marker, b: Marker): boolean {
  return a.tenant === b.tenant && a.registry === b.registry && a.operation === b.operation;
}

/** Null for what isn't a marker; what stands beside one stays. */
export function toMarker<Kept extends Marker = Marker>(value: unknown): Kept | null {
  if (typeof value !== 'object' || value === null) return null;
  const { tenant, registry, operation } = value as Record<string, unknown>;
  return typeof tenant === 'string' && typeof registry === 'string' && typeof operation === 'string' ? (value as Kept) : null;
}

/** The same, as it was written down. */
export function parseMarkerJson<Kept extends Marker = Marker>(text: string): Kept | null {
  try {
    return toMarker<Kept>(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The marker without what is only kept beside it. */
export function bareMarker({ tenant, registry, operation }: Marker): Marker {
  return { tenant, registry, operation };
}

/** Ends the sentence "the schema x is already there, and …". */
export function describeOwner(marker: Marker | null, ours: Marker): string {
  if (marker === null) return 'was not made by tenancy';
  const isNobodys = Object.values<string>(NOBODY).includes(marker.tenant);
  if (isNobodys) return `was made ahead by tenancy, for ${marker.registry === ours.registry ? 'a tenant to come' : 'another registry'}`;
  if (marker.registry !== ours.registry) return `belongs to tenant ${marker.tenant} of another registry`;
  if (marker.tenant !== ours.tenant) return `belongs to tenant ${marker.tenant}`;
  return `belongs to an earlier life of tenant ${marker.tenant}`;
}
