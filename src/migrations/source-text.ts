import { readFileSync } from 'node:fs';
import { TenancyError } from '../errors.js';
import { checksumOf, normaliseText } from './checksum.js';
import { explain, showPath } from './source-directory.js';

export interface SourceText {
  /** Without a byte order mark, line endings normalised to LF: what is hashed is what is run. */
  readonly text: string;
  /** SHA-256 of `text`, hex: the same on a checkout with CRLF. */
  readonly checksum: string;
  /** As they are in the file. */
  readonly bytes: Buffer;
}

/** @throws TenancyError `TENANCY_MIGRATION_FILE_REJECTED` where it can't be read, isn't UTF-8, has NUL bytes or is empty. */
export function readSourceText(path: string): SourceText {
  const bytes = readBytes(path);
  if (bytes.includes(0)) refuse(path, 'it has NUL bytes', 'save it as plain text in UTF-8');
  const text = normaliseText(decode(path, bytes));
  if (text.trim() === '')
    refuse(path, 'it is empty', 'write the migration, or delete the file; a comment is enough where nothing is to be done');
  return { text, checksum: checksumOf(text), bytes };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TenancyError(
      'TENANCY_MIGRATION_FILE_REJECTED',
      { file: showPath(path), reason: `it ${explain(cause)}`, advice: 'make it readable, then run the same command again' },
      { cause },
    );
  }
}

function decode(path: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const line = countLines(bytes);
    throw new TenancyError(
      'TENANCY_MIGRATION_FILE_REJECTED',
      { file: showPath(path), reason: `line ${line} is not valid UTF-8`, advice: 'save it as UTF-8' },
      { cause },
    );
  }
}

/** The line on which the first character stands that isn't UTF-8. */
function countLines(bytes: Buffer): number {
  const readable = new TextDecoder('utf-8').decode(bytes);
  return readable.slice(0, readable.indexOf('\uFFFD')).split('\n').length;
}

function refuse(path: string, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATION_FILE_REJECTED', { file: showPath(path), reason, advice });
}
