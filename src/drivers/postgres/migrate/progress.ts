import type { LocalMigration, MigrationProgress } from '../../../migrations/migration.js';
import { digestOfSent } from '../../../migrations/plan-progress.js';
import type { ApplyOptions } from '../../driver.js';
import type { MigrateContext, PreparedScript } from './context.js';
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

/** How far a tenant is with a script, to be recorded. */
export function progressOf(
  { migration, prepared }: { readonly migration: LocalMigration; readonly prepared: PreparedScript },
  statementsDone: number,
  state: MigrationProgress['state'],
): MigrationProgress {
  const reached = { statementsDone, state };
  return { name: migration.name, checksum: digestOfSent(textsOf(prepared), reached), ...reached };
}

/** In the words of the file, so that it is the same in every tenant. */
export function textsOf({ source, script }: PreparedScript): readonly string[] {
  return script.statements.map(({ start, end }) => source.sql.slice(start, end));
}
