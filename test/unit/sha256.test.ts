import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sha256 } from '../../src/util/sha256.js';

const inNode = (text: string): string => createHash('sha256').update(text).digest('hex');

// The first few kilobytes are hashed in another way than the rest, and there is nothing by which to tell.
test('is that of Node, of whatever text, at the beginning of a process and later', () => {
  const texts = ['', 'abc', 'é😀\ud800', '\0', 'a'.repeat(55), 'a'.repeat(56), 'a'.repeat(64), 'ß'.repeat(119), 'SELECT 1;\n'.repeat(400)];
  for (let round = 0; round < 3; round += 1) for (const text of texts) expect(sha256(text)).toBe(inNode(text));
});
