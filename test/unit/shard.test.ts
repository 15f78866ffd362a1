import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { formatShard, isInShard, readShard, shardKeyOf } from '../../src/util/shard.js';

test.each(['0/4', '5/4', 'x', '', '1', '1/', '/4', '1/0', '0/0', '-1/4', '1.5/4', '1/4/2', '1/100000', ' / ', '１/４'])(
  '%j is no shard',
  (raw) => {
    expect(readShard(raw)).toBeNull();
  },
);

test('a shard is read as it is typed', () => {
  expect(readShard('2/4')).toEqual({ index: 2, of: 4 });
  expect(readShard('1/1')).toEqual({ index: 1, of: 1 });
  expect(formatShard({ index: 2, of: 4 })).toBe('2/4');
});

test('a tenant goes by the first 32 bits of the SHA-256 of its id', () => {
  const hex = createHash('sha256').update('acme').digest('hex').slice(0, 8);
  expect(shardKeyOf('acme')).toBe(Number.parseInt(hex, 16));
  // Published with the schema of events: what is said here must not change.
  expect(['acme', 'globex', 'initech'].map(shardKeyOf)).toEqual([2_183_869_357, 1_539_416_205, 1_289_493_058]);
});

test('shards are about even, and each tenant is in one', () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `tenant-${index}`);
  for (const of of [1, 2, 3, 7, 16]) {
    const shards = Array.from({ length: of }, (_, index) => ids.filter((id) => isInShard(id, { index: index + 1, of })));
    expect(shards.flat().length).toBe(ids.length);
    for (const shard of shards) expect(Math.abs(shard.length / (ids.length / of) - 1)).toBeLessThan(0.15);
  }
});
