import { createHash } from 'node:crypto';

/**
 * One of a run's places on a cluster: the right to have one tenant of it in flight, for as long as the cluster has any left. Then the place goes on to
 * another cluster, as another slot.
 */
export interface Slot {
  readonly runId: string;
  readonly cluster: string;
  /** From 0, below the cluster's cap: no two slots of a run that are held at the same time have the same one. */
  readonly number: number;
  /** From 0, below the run's concurrency. */
  readonly place: number;
  /** How often the place has gone on. */
  readonly hop: number;
}

/** What only one at a time may hold: so a cluster's cap is kept whichever places come to it. */
export function keyOf({ runId, cluster, number }: Slot): string {
  return `${runId}#${cluster}#${number}`;
}

/** A place has one slot for each hop, whoever sends it there. */
export function idOf({ runId, place, hop }: Slot): string {
  return hashToUuid(`${runId}#${place}#${hop}`);
}

/** A UUID that is made of the text. */
export function hashToUuid(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
