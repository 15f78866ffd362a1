import { createHash } from 'node:crypto';

/**
 * Digest of a set of applied migrations: SHA-256, hex, of the lines `name:checksum`, sorted bytewise by name and joined by LF.
 * Bytewise, so that a database can compute the same (`string_agg(… ORDER BY name COLLATE "C")`).
 */
export function historyDigest(applied: readonly { readonly name: string; readonly checksum: string }[]): string {
  const lines = applied
    .map(({ name, checksum }) => ({ name: Buffer.from(name), line: `${name}:${checksum}` }))
    .sort((a, b) => Buffer.compare(a.name, b.name))
    .map(({ line }) => line);
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
