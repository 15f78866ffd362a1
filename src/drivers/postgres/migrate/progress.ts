import type { MigrationProgress } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import type { MigrateContext } from './context.js';
import { sendGuarded } from './transaction.js';

/** Under the guard, so that what is read is nobody else's work under way. Makes the history's tables where they are missing. */
export async function readProgress(
  context: MigrateContext,
  { tenant, expectedDigest }: ApplyOptions,
  isFirst: boolean,
): Promise<MigrationProgress | null> {
  let progress: MigrationProgress | null = null;
  await sendGuarded(context, {
    tenant,
    expectedDigest,
    withSetUp: isFirst,
    statements: [context.sql.progress.read],
    isCommitted: true,
    onRow: ([name, checksum, done, state]) => {
      progress = {
        name: name ?? '',
        checksum: checksum ?? '',
        statementsDone: Number(done),
        state: state === 'started' ? 'started' : 'between',
      };
    },
  });
  return progress;
}
