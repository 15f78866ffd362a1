import { createHash } from 'node:crypto';

/** The right to have one tenant of a cluster in flight, for as long as a run has any left: as many of them as the cluster's cap. */
export interface Slot {
  readonly runId: string;
  readonly cluster: string;
  /** From 0. */
  readonly number: number;
}

export function keyOf({ runId, cluster, number }: Slot): string {
  return `${runId}#${cluster}#${number}`;
}

/** A UUID that is made of the text. */
export function hashToUuid(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
