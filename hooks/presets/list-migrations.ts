import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { ProjectContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { importFile } from './import-file.js';

export interface MigrationFolder {
  /** For the message: `knex()`. */
  readonly preset: string;
  /** Relative to the config file. */
  readonly directory: string;
  /** With the dot. */
  readonly endings: readonly string[];
}

/** A migration's file. */
export interface MigrationFile {
  /** Without its folder. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** What it exports, imported when the first tenant asks: of thousands each asks for all of them. */
  load(loader: Pick<ProjectContext, 'root' | 'importModule'>): Promise<unknown>;
}

/** The files of a folder that have one of the endings, by their names' code units; declarations (`.d.ts`) are none. */
export async function listMigrations(
  project: Pick<ProjectContext, 'root'>,
  { preset, directory, endings }: MigrationFolder,
): Promise<MigrationFile[]> {
  const folder = path.resolve(project.root, directory);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    const problem = error.code === 'ENOENT' ? 'there is no such folder' : error.message;
    throw new TenancyError('TENANCY_PRESET_REJECTED', { preset, problem: `\`directory\`: ${folder}: ${problem}` });
  });
  return names
    .filter((name) => endings.includes(path.extname(name)) && !/\.d\.[cm]?ts$/.test(name))
    .sort()
    .map((name) => createFile(preset, name, path.join(folder, name)));
}

function createFile(preset: string, name: string, file: string): MigrationFile {
  let loaded: Promise<unknown> | undefined;
  return {
    name,
    path: file,
    load: (loader) => {
      loaded ??= importFile(loader, { preset, option: 'directory', file });
      return loaded;
    },
  };
}

export const MODULE_ENDINGS: readonly string[] = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts'];

/** What a module exports: by name, or all in its default export, as CommonJS and `export default { up, down }` have it. */
export function exportsOf<Exports>(module: unknown, member: string): Exports {
  const named = module as Record<string, unknown>;
  const { default: whole } = named;
  return (member in named || typeof whole !== 'object' || whole === null ? named : whole) as Exports;
}
