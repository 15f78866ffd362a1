import type { Marker } from '../driver.js';
import { parseMarkerJson } from '../marker.js';

const PREFIX = 'tenancy:';

/** What the COMMENT of a home says: whose it is, and what has to be put back one day. */
export interface MarkerComment extends Marker {
  /** What the comment said before the home was adopted. */
  readonly comment?: string;
  /** CONNECT, as it was granted before it was taken away; absent while access isn't cut. */
  readonly cut?: readonly ConnectGrant[];
}

export interface ConnectGrant {
  /** Null: PUBLIC. */
  readonly role: string | null;
  readonly isGrantable: boolean;
}

export function formatMarker(marker: MarkerComment): string {
  const { tenant, registry, operation, comment, cut } = marker;
  return PREFIX + JSON.stringify({ tenant, registry, operation, comment, cut });
}

/** What the comment of every home that is this marker's begins with, whatever is kept behind it: for statements that compare it themselves. */
export function markerPrefix(marker: Marker): string {
  const { tenant, registry, operation } = marker;
  return formatMarker({ tenant, registry, operation }).slice(0, -1);
}

/** Null for a comment that isn't a marker of ours. */
export function parseMarker(comment: string | null): MarkerComment | null {
  if (comment === null || !comment.startsWith(PREFIX)) return null;
  return parseMarkerJson<MarkerComment>(comment.slice(PREFIX.length));
}
