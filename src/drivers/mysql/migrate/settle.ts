import type { LocalMigration } from '../../../migrations/migration.js';
import type { MigrateContext } from './context.js';
import { CREATE_MIRROR, recordMigration, recordMirror, setProgress } from './history-sql.js';
import { findProgress } from './read-history.js';
import { withTenantLock } from './tenant-lock.js';

/** Writes history rows for what is there already. Those that are recorded stay as they are. */
export async function recordApplied(
  context: MigrateContext,
  migrations: readonly Pick<LocalMigration, 'name' | 'checksum' | 'mirror'>[],
): Promise<void> {
  const { connection, deps, marker } = context;
  await withTenantLock(context, { tenant: marker.tenant, expectedDigest: null }, async ({ applied }) => {
    const mirrors = migrations.flatMap(({ mirror }) => mirror ?? []);
    const missing = migrations.filter(({ name }) => !applied.some((row) => row.name === name));
    const statements = [
      ...(mirrors.length === 0 ? [] : [CREATE_MIRROR]),
      'START TRANSACTION',
      ...mirrors.flatMap((mirror) => recordMirror(mirror, 'declared')),
      ...missing.map((migration) => recordMigration(migration, deps.options.runId, false)),
      'COMMIT',
    ];
    await connection.send(statements.join('; '));
  });
}

/** Settles the statement that was interrupted; without one there is nothing to do. */
export async function resolveProgress(context: MigrateContext, answer: 'applied' | 'rerun'): Promise<void> {
  const { connection, marker } = context;
  await withTenantLock(context, { tenant: marker.tenant, expectedDigest: null }, async ({ state }) => {
    for (const type of ['progress', 'seeding'] as const) {
      const progress = findProgress(state, type);
      if (progress?.state !== 'started') continue;
      const statementsDone = progress.statementsDone + (answer === 'applied' ? 1 : 0);
      await connection.send(setProgress(type, { ...progress, statementsDone, state: 'between' }));
      return;
    }
  });
}
