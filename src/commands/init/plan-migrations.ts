import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../errors.js';
import { loadMigrations } from '../../migrations/source.js';
import type { DriverName } from '../../tenant.js';
import { writeFirstMigration } from './first-migration.js';
import type { NewFile } from './write-files.js';

export interface MigrationsPlan {
  /** The first migration and its way back; none for a folder that has files already, which is used as it is. */
  readonly files: readonly NewFile[];
  /** How many are there already. */
  readonly found: number;
  /** Files in it name the schema `public`. */
  readonly namesPublic: boolean;
  /** Why what is there can't be used as it is; null where it can, or where there is nothing. */
  readonly problem: string | null;
}

const NAMES_PUBLIC = /\bpublic"?\s*\.|\bSCHEMA\s+(IF\s+NOT\s+EXISTS\s+)?"?public\b/i;

/** @throws TenancyError `TENANCY_OPTION_REJECTED` where there is something that isn't a folder. */
export async function planMigrations(cwd: string, directory: string, driver: DriverName, moduleEnding: string): Promise<MigrationsPlan> {
  const names = await readNames(cwd, directory);
  if (names.length === 0)
    return { files: writeFirstMigration(directory, driver, moduleEnding), found: 0, namesPublic: false, problem: null };

  try {
    const found = await loadMigrations({ directory, root: cwd }, { importModule: async () => ({}) });
    const namesPublic = found.some(({ up }) => up.type === 'sql' && NAMES_PUBLIC.test(up.sql));
    return { files: [], found: found.length, namesPublic, problem: null };
  } catch (error) {
    if (!(error instanceof TenancyError)) throw error;
    return { files: [], found: 0, namesPublic: false, problem: error.message };
  }
}

/** Without hidden ones: a folder with a .gitkeep is empty. */
async function readNames(cwd: string, directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(path.resolve(cwd, directory))).filter((name) => !name.startsWith('.'));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    const expected = code === 'ENOTDIR' ? 'a folder' : `a folder that can be read (${message})`;
    throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--migrations', value: directory, expected }, { cause });
  }
}
