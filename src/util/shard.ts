import { createHash } from 'node:crypto';

/** One of `of` parts of a fleet, `index` counted from 1. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** Reads `2/4`; null where it is no shard. */
export function readShard(raw: string): Shard | null {
  const [, index, of] = /^(\d{1,5})\/(\d{1,5})$/.exec(raw.trim()) ?? [];
  const shard = { index: Number(index), of: Number(of) };
  return index !== undefined && shard.index >= 1 && shard.index <= shard.of ? shard : null;
}

/** As it is typed. */
export function formatShard({ index, of }: Shard): string {
  return `${index}/${of}`;
}

/**
 * Where a tenant goes: the first 32 bits of the SHA-256 of its id, modulo the number of shards. It knows nothing of the other tenants, so
 * one stays in its shard when others come and go; and it is what every registry can reckon, or keep.
 */
export function shardKeyOf(tenant: string): number {
  return createHash('sha256').update(tenant).digest().readUInt32BE(0);
}

export function isInShard(tenant: string, { index, of }: Shard): boolean {
  return shardKeyOf(tenant) % of === index - 1;
}
