import type { LocalMigration, MigrationProgress } from '../../../migrations/migration.js';
import type { MigrateContext } from './context.js';
import { declareMirrors } from './mirror.js';
import { readHistory } from './read-history.js';
import { sendGuarded } from './transaction.js';

/** Writes history rows for what is there already. Those that are recorded stay as they are. */
export async function recordApplied(
  context: MigrateContext,
  migrations: readonly Pick<LocalMigration, 'name' | 'checksum' | 'mirror'>[],
): Promise<void> {
  const present = new Set((await readHistory(context)).applied.map(({ name }) => name));
  const missing = migrations.filter(({ name }) => !present.has(name));
  await sendGuarded(context, {
    tenant: context.deps.historySchema,
    expectedDigest: null,
    withSetUp: true,
    statements: [
      ...declareMirrors(
        context,
        migrations.flatMap(({ mirror }) => mirror ?? []),
      ),
      ...missing.map((migration, index) => context.sql.recordMigration(migration, index + 1)),
    ],
    isCommitted: true,
  });
}

/** Settles the statement that was interrupted; without one there is nothing to do. */
export async function resolveProgress(context: MigrateContext, answer: 'applied' | 'rerun'): Promise<void> {
  const { progress } = await readHistory(context);
  if (progress === null || progress.state !== 'started') return;
  const statementsDone = progress.statementsDone + (answer === 'applied' ? 1 : 0);
  const settled: MigrationProgress = { ...progress, statementsDone, state: 'between' };
  await sendGuarded(context, {
    tenant: context.deps.historySchema,
    expectedDigest: null,
    withSetUp: false,
    statements: [context.sql.progress.set(settled)],
    isCommitted: true,
  });
}
