import { TenancyError } from '../../../errors.js';
import type { AppliedMigration, LocalMigration } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import type { MigrateContext } from './context.js';
import { withMirror } from './mirror.js';
import { toApplied } from './read-history.js';
import { runSegments } from './run-segments.js';
import { toSegments } from './steps.js';

export async function applyMigrations(
  context: MigrateContext,
  steps: readonly LocalMigration[],
  options: ApplyOptions,
): Promise<AppliedMigration[]> {
  const segments = toSegments(
    context,
    steps.map((migration) => ({ migration, script: migration.up })),
    options.publicTo ?? null,
  );
  const applied: AppliedMigration[] = [];
  const mirrored = withMirror(context, steps, 'record');
  await runSegments(
    context,
    segments,
    {
      direction: 'up',
      record: (migration, isStepwise, nth) =>
        mirrored(migration, context.sql.recordMigration(migration, nth, isStepwise ? 'progress' : 'guard')),
      onDone: (migration, row) => {
        const done = toApplied(migration, row, context.deps.options.runId);
        applied.push(done);
        options.onMigration({ name: done.name, ms: done.durationMs });
      },
    },
    options,
  );
  return applied;
}

/** @throws TenancyError `TENANCY_MIGRATION_IRREVERSIBLE`, before anything runs, where one has no down script. */
export async function revertMigrations(context: MigrateContext, steps: readonly LocalMigration[], options: ApplyOptions): Promise<void> {
  const irreversible = steps.filter(({ down }) => down === null);
  if (irreversible.length > 0)
    throw new TenancyError('TENANCY_MIGRATION_IRREVERSIBLE', { migrations: irreversible.map(({ name }) => name) });
  const downs = steps.flatMap((migration) => (migration.down === null ? [] : [{ migration, script: migration.down }]));
  const mirrored = withMirror(context, steps, 'forget');
  await runSegments(
    context,
    toSegments(context, downs, options.publicTo ?? null),
    {
      direction: 'down',
      record: (migration) => mirrored(migration, context.sql.forgetMigration(migration.name)),
      onDone: ({ name }, [ms]) => options.onMigration({ name, ms: Number(ms) }),
    },
    options,
  );
}
