import { TenancyError } from '../errors.js';
import type { FoundMigration } from './formats/format.js';
import { byNumber, leadingNumber, type NameOrder } from './order.js';
import { showPath } from './source-directory.js';

const MAX_NAME_LENGTH = 200;

/**
 * Refuses names that can't be told apart or kept in a history.
 * @throws TenancyError `TENANCY_MIGRATION_FILE_REJECTED`, `TENANCY_MIGRATION_NAME_TAKEN` (naming every clash).
 */
export function checkNames(found: readonly FoundMigration[], order: NameOrder): void {
  for (const migration of found) checkName(migration);
  const clashes = [
    ...findClashes(found, ({ name }) => name.toLowerCase(), 'have names that differ at most in case'),
    ...(order === byNumber ? findClashes(found, ({ name }) => String(leadingNumber(name)), 'have the same number') : []),
  ];
  if (clashes.length > 0) throw new TenancyError('TENANCY_MIGRATION_NAME_TAKEN', { clashes });
}

function checkName({ name, up }: FoundMigration): void {
  const length = [...name].length;
  if (name.trim() === '') refuse(up.path, 'it has no name', 'name it, as in 0002_invoices.sql');
  if (length > MAX_NAME_LENGTH)
    refuse(up.path, `its name has ${length} characters, and ${MAX_NAME_LENGTH} is the most`, 'give it a shorter name');
  if (/\p{Cc}/u.test(name)) refuse(up.path, 'its name has a control character', 'rename it');
}

function findClashes(found: readonly FoundMigration[], key: (migration: FoundMigration) => string, reason: string) {
  const groups = new Map<string, string[]>();
  for (const migration of found) {
    const files = groups.get(key(migration)) ?? [];
    groups.set(key(migration), [...files, showPath(migration.up.path)]);
  }
  return [...groups.values()].filter((files) => files.length > 1).map((files) => ({ files, reason }));
}

function refuse(path: string, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATION_FILE_REJECTED', { file: showPath(path), reason, advice });
}
