import { TenancyError } from '../../errors.js';
import { showPath } from '../source-directory.js';
import type { Entry } from './format.js';

/** Editors' left-overs, and what is kept beside migrations on purpose. */
const IGNORED = /^[.#_]|~$|\.sw[a-z]$/;

/** What may be meant as a migration: neither hidden nor an editor's left-over. */
export function isCandidate({ name }: Entry): boolean {
  return !IGNORED.test(name) && name !== 'node_modules';
}

export function refuseFile(path: string, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATION_FILE_REJECTED', { file: showPath(path), reason, advice });
}

/** @param clash two files that can't be told apart, or put in order */
export function refuseClash(files: readonly string[], reason: string): never {
  throw new TenancyError('TENANCY_MIGRATION_NAME_TAKEN', { clashes: [{ files: files.map(showPath), reason }] });
}
