import type { Marker } from '../driver.js';

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
  const value = parseJson(comment.slice(PREFIX.length));
  return isMarker(value) ? value : null;
}

export function isSameMarker(a: Marker, b: Marker): boolean {
  return a.tenant === b.tenant && a.registry === b.registry && a.operation === b.operation;
}

/** Ends the sentence "the schema x is already there, and …". */
export function describeOwner(marker: Marker | null, ours: Marker): string {
  if (marker === null) return 'was not made by tenancy';
  if (marker.registry !== ours.registry) return `belongs to tenant ${marker.tenant} of another registry`;
  if (marker.tenant !== ours.tenant) return `belongs to tenant ${marker.tenant}`;
  return `belongs to an earlier life of tenant ${marker.tenant}`;
}

/** The marker without what is only kept beside it. */
export function bareMarker(marker: MarkerComment | null): Marker | null {
  return marker === null ? null : { tenant: marker.tenant, registry: marker.registry, operation: marker.operation };
}

function isMarker(value: unknown): value is MarkerComment {
  if (typeof value !== 'object' || value === null) return false;
  const { tenant, registry, operation } = value as Record<string, unknown>;
  return typeof tenant === 'string' && typeof registry === 'string' && typeof operation === 'string';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
