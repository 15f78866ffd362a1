import { createHash } from 'node:crypto';

/** A byte order mark is no part of a text, and line endings are LF: so a checkout on Windows is the same migration. */
export function normaliseText(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}

/** SHA-256 of the normalised text in UTF-8, hex. */
export function checksumOf(text: string): string {
  return createHash('sha256').update(normaliseText(text)).digest('hex');
}
