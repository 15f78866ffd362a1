import { createHash } from 'node:crypto';
import { TenancyError } from '../errors.js';
import type { LocalMigration, MigrationProgress } from './migration.js';

/**
 * Checks that what was interrupted half way is what would be continued. A migration is continued from its next statement,
 * so what was sent of it must be what stands in it still; what follows may have been mended meanwhile.
 * @param next the migration that would run first; null: none.
 * @param sent what its checksum may be, as `next` has it: `digestsOfSent` of a script, the checksum of a module. Null where that can't
 * be told: statements are told apart only where the engine is known.
 * @throws TenancyError `TENANCY_MIGRATION_PROGRESS_DRIFTED`.
 */
export function checkProgress(
  progress: MigrationProgress,
  next: LocalMigration | null,
  direction: 'up' | 'down',
  isApplied: boolean,
  sent: readonly string[] | null,
): void {
  // As if it had never been begun: its file may go, or have another name.
  if (!hasBegun(progress)) return;
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
  if (sent !== null && !sent.includes(progress.checksum)) {
    const { type, file } = (direction === 'down' ? next.down : null) ?? next.up;
    const what = type === 'sql' ? 'the statements that were run were edited since' : 'its file was edited since';
    refuse(progress, what, `put them back as they were in ${file}: what comes behind them may be mended`);
  }
}

/**
 * The checksum of a progress: a digest of the statements that the tenant has been sent, the one that may have run among them. They have to
 * stay as they were; what follows may be mended.
 * @param statements of the whole script, each as it stands in the file.
 */
export function digestOfSent(statements: readonly string[], { statementsDone, state }: Reached): string {
  return digest(statements.slice(0, statementsDone + (state === 'started' ? 1 : 0)));
}

/** What the checksum may be: one statement more where `repair --rerun` has settled it, which is to be sent as it was. */
export function digestsOfSent(statements: readonly string[], { statementsDone, state }: Reached): readonly string[] {
  const withNext = digest(statements.slice(0, statementsDone + 1));
  return state === 'started' ? [withNext] : [digest(statements.slice(0, statementsDone)), withNext];
}

type Reached = Pick<MigrationProgress, 'statementsDone' | 'state'>;

function digest(statements: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(statements)).digest('hex');
}

function hasBegun({ statementsDone, state }: MigrationProgress): boolean {
  return statementsDone > 0 || state === 'started';
}

function refuse({ name, statementsDone }: MigrationProgress, reason: string, advice: string): never {
  throw new TenancyError('TENANCY_MIGRATION_PROGRESS_DRIFTED', { migration: name, statementsDone, reason, advice });
}
