import type { Marker } from '../driver.js';
import { bareMarker, parseMarkerJson } from '../marker.js';

/** As it stands in the state table of a home. */
export function formatMarker({ tenant, registry, operation }: Marker): string {
  return JSON.stringify({ tenant, registry, operation });
}

/** Null for what isn't a marker of ours. */
export function parseMarker(text: string | null | undefined): Marker | null {
  const marker = parseMarkerJson(text ?? '');
  return marker === null ? null : bareMarker(marker);
}
