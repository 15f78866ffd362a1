import { createHash } from 'node:crypto';
import { sha256 as sha256InScript } from '@noble/hashes/sha2.js';

/** So much of a process's texts, in characters, before what Node has is worth its loading. */
const FEW = 8_192;

let hashed = 0;

/**
 * SHA-256 of the text in UTF-8, hex. The first few kilobytes are hashed in JavaScript: to load `node:crypto` takes longer than all of the rest of
 * what `tenancy status` does with a folder of migrations, and a twentieth of its time.
 */
export function sha256(text: string): string {
  hashed += text.length;
  if (hashed > FEW) return createHash('sha256').update(text).digest('hex');
  return Buffer.from(sha256InScript(Buffer.from(text))).toString('hex');
}
