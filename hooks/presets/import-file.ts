import { access } from 'node:fs/promises';
import path from 'node:path';
import type { ProjectContext } from '../../src/config/types.js';
import { isTenancyError, TenancyError } from '../../src/errors.js';
import { examineImportFailure, examineThrown } from '../../src/util/import-failure.js';

/** A file of the user's that a preset imports. */
export interface ImportedFile {
  /** For the message: `knex()`. */
  readonly preset: string;
  /** The option that names it: `knexfile`. */
  readonly option: string;
  /** Relative to the config file, or absolute. */
  readonly file: string;
}

/** @throws TenancyError that names the file and what is wrong with it, in one sentence */
export async function importFile(
  { root, importModule }: Pick<ProjectContext, 'root' | 'importModule'>,
  { preset, option, file }: ImportedFile,
): Promise<unknown> {
  const full = path.resolve(root, file);
  try {
    return await importModule(full);
  } catch (error) {
    if (isTenancyError(error)) throw error;
    const isThere = await access(full).then(
      () => true,
      () => false,
    );
    if (!isThere) throw reject(preset, option, `${full}: there is no such file`, error);
    const failure = await examineImportFailure(full, error);
    throw new TenancyError('TENANCY_PRESET_FILE_REJECTED', { preset, file: full, failure }, { cause: error });
  }
}

/** What a file exports: itself, or, where that is a function, what the function returns. @throws TenancyError as above, where it throws */
export async function callExported(
  { root }: Pick<ProjectContext, 'root'>,
  { preset, option, file }: ImportedFile,
  exported: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  const full = path.resolve(root, file);
  const isFunction = typeof exported === 'function';
  let value = exported;
  try {
    if (isFunction) value = await exported();
  } catch (error) {
    if (isTenancyError(error)) throw error;
    const failure = { type: 'thrown', action: 'the function that it exports failed', ...examineThrown(full, error) } as const;
    throw new TenancyError('TENANCY_PRESET_FILE_REJECTED', { preset, file: full, failure }, { cause: error });
  }
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw reject(preset, option, `${full}: ${isFunction ? 'the function that it exports returns' : 'it exports'} no object`);
}

function reject(preset: string, option: string, problem: string, cause?: unknown): TenancyError {
  return new TenancyError('TENANCY_PRESET_REJECTED', { preset, problem: `\`${option}\`: ${problem}` }, { cause });
}
