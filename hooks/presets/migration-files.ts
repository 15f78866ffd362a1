import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../src/errors.js';

/**
 * The names in a directory of migrations, sorted bytewise; `deep`: with those of its sub-folders, as paths.
 * @throws TenancyError `TENANCY_MIGRATIONS_DIRECTORY_REJECTED`
 */
export async function listMigrationFiles(root: string, directory: string, { deep = false } = {}): Promise<readonly string[]> {
  try {
    const names = await readdir(path.resolve(root, directory), { recursive: deep });
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'does not exist' : `can't be read: ${code ?? String(cause)}`;
    const advice = 'check the directory in the config: it is relative to the config file';
    throw new TenancyError('TENANCY_MIGRATIONS_DIRECTORY_REJECTED', { directory, reason, advice }, { cause });
  }
}

/** Refuses a directory without migrations: nothing to do would look like all done. */
export function requireSome<Item>(items: readonly Item[], directory: string, example: string): readonly Item[] {
  if (items.length > 0) return items;
  const reason = 'has no migrations';
  throw new TenancyError('TENANCY_MIGRATIONS_DIRECTORY_REJECTED', { directory, reason, advice: `it is to hold files such as ${example}` });
}
