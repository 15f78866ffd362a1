import { sha256 } from '../util/sha256.js';

/** A byte order mark is no part of a text, and line endings are LF: so a checkout on Windows is the same migration. */
export function normaliseText(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}

/** SHA-256 of the normalised text in UTF-8, hex. */
export function checksumOf(text: string): string {
  return sha256(normaliseText(text));
}
