import type { Marker } from '../driver.js';
import { parseMarkerJson } from '../marker.js';
import type { Retention } from '../retention.js';
import { quoteText } from './quote.js';

/** What the comment of any home of a tenant's begins with. */
export const MARKER_PREFIX = 'tenancy:';

/** What the COMMENT of a home says: whose it is, and what has to be put back one day. */
export interface MarkerComment extends Marker, Retention {
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
  const { tenant, registry, operation, comment, cut, retained, undeleted } = marker;
  return MARKER_PREFIX + JSON.stringify({ tenant, registry, operation, comment, cut, retained, undeleted });
}

/** What the comment of every home that is this marker's begins with, whatever is kept behind it: for statements that compare it themselves. */
export function markerPrefix(marker: Marker): string {
  const { tenant, registry, operation } = marker;
  return formatMarker({ tenant, registry, operation }).slice(0, -1);
}

/** A statement that fails with 22P02 (invalid_text_representation) where an expression isn't this comment. */
export function assertComment(expression: string, comment: string | null): string {
  // clock_timestamp() keeps the planner from trying the cast by itself.
  return `SELECT CASE WHEN ${expression} IS DISTINCT FROM ${quoteText(comment ?? '')} THEN ('another marker ' || clock_timestamp())::integer END`;
}

/** Null for a comment that isn't a marker of ours. */
export function parseMarker(comment: string | null): MarkerComment | null {
  if (comment === null || !comment.startsWith(MARKER_PREFIX)) return null;
  return parseMarkerJson<MarkerComment>(comment.slice(MARKER_PREFIX.length));
}
