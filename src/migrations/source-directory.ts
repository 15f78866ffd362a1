import { readdir, stat } from 'node:fs/promises';
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
 * The entries of a directory, sorted by name, links followed.
 * @throws TenancyError `TENANCY_MIGRATIONS_DIRECTORY_REJECTED`, and `TENANCY_MIGRATION_FILE_REJECTED` for a link that leads nowhere.
 */
export async function readEntries(directory: string): Promise<readonly Entry[]> {
  const names = await readNames(directory);
  return Promise.all(names.sort().map((name) => readEntry(directory, name)));
}

async function readNames(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    throw new TenancyError(
      'TENANCY_MIGRATIONS_DIRECTORY_REJECTED',
      { directory: showPath(directory), reason: explain(cause), advice },
      { cause },
    );
  }
}

async function readEntry(directory: string, name: string): Promise<Entry> {
  const path = join(directory, name);
  // Editors put links to nowhere beside the file they have open (Emacs' `.#name`).
  if (name.startsWith('.')) return { name, path, type: 'other' };
  try {
    const facts = await stat(path);
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
