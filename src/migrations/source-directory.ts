import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { TenancyError } from '../errors.js';
import type { Entry } from './formats/format.js';

const advice = 'check migrations.directory in the config (it is relative to the config file)';

/** Relative to the working directory where that is shorter: what a terminal can open with a click. */
export function showPath(path: string): string {
  const short = relative('', path);
  return short === '' ? '.' : short.length < path.length ? short : path;
}

/**
 * The entries of a directory, sorted by name, links followed. One call after the other: for hundreds of small files promises take longer than the files.
 * @throws TenancyError `TENANCY_MIGRATIONS_DIRECTORY_REJECTED`, and `TENANCY_MIGRATION_FILE_REJECTED` for a link that leads nowhere.
 */
export function readEntries(directory: string): readonly Entry[] {
  return listDirectory(directory)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((dirent) => toEntry(directory, dirent));
}

function listDirectory(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    throw new TenancyError(
      'TENANCY_MIGRATIONS_DIRECTORY_REJECTED',
      { directory: showPath(directory), reason: explain(cause), advice },
      { cause },
    );
  }
}

function toEntry(directory: string, dirent: Dirent): Entry {
  const { name } = dirent;
  const path = join(directory, name);
  // Editors put links to nowhere beside the file they have open (Emacs' `.#name`).
  if (name.startsWith('.')) return { name, path, type: 'other' };
  try {
    // Neither for a link, and on file systems that don't tell.
    const facts = dirent.isFile() || dirent.isDirectory() ? dirent : statSync(path);
    return { name, path, type: facts.isFile() ? 'file' : facts.isDirectory() ? 'directory' : 'other' };
  } catch (cause) {
    throw new TenancyError(
      'TENANCY_MIGRATION_FILE_REJECTED',
      { file: showPath(path), reason: `it ${explain(cause)}`, advice: 'mend it, or take it out of the migrations directory' },
      { cause },
    );
  }
}

/** Words a file system's error as the end of a sentence. */
export function explain(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'does not exist',
    ENOTDIR: 'is not a directory',
    EISDIR: 'is a directory',
    EACCES: 'may not be read by this user',
    EPERM: 'may not be read by this user',
    ELOOP: 'is a link that leads back to itself',
    ENAMETOOLONG: 'has a path that is too long for the file system',
  };
  return known[code] ?? `can't be read: ${code}`;
}
