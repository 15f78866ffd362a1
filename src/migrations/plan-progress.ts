import { TenancyError } from '../errors.js';
import type { LocalMigration, MigrationProgress } from './migration.js';

/**
 * Checks that what was interrupted half way is what would be continued. A migration is continued from its next statement,
 * so its text must be the one that the first statements came from.
 * @param next the migration that would run first; null: none.
 * @throws TenancyError `TENANCY_MIGRATION_PROGRESS_DRIFTED`.
 */
export function checkProgress(
  progress: MigrationProgress,
  next: LocalMigration | null,
  direction: 'up' | 'down',
  isApplied: boolean,
): void {
  if (isApplied && direction === 'up') {
    refuse(progress, 'that was its rollback', 'finish it with `tenancy tenant rollback` first');
  }
  if (!isApplied && direction === 'down') {
    refuse(progress, 'it is not applied yet', 'finish it with `tenancy tenant migrate` first');
  }
  if (next?.name !== progress.name) {
    const turn = next === null ? 'no migration is left to run' : `${next.name} would run first now`;
    refuse(progress, turn, `bring its file back into its old place, then run the same command again`);
  }
  if (direction === 'up' && next.checksum !== progress.checksum && hasBegun(progress)) {
    refuse(progress, 'its file was edited since', `put ${next.file} back as it was: the rest of it belongs to what has been done`);
  }
}

function hasBegun({ statementsDone, state }: MigrationProgress): boolean {
  return statementsDone > 0 || state === 'started';
}

function refuse({ name, statementsDone }: MigrationProgress, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATION_PROGRESS_DRIFTED', { migration: name, statementsDone, reason, advice });
}
