import { TenancyError } from '../../../errors.js';
import type { AppliedMigration, LocalMigration, MigrationScript } from '../../../migrations/migration.js';
import { checkMysqlScript } from '../../../migrations/sql/mysql/check.js';
import type { ApplyOptions } from '../../driver.js';
import { applyModule } from './apply-module.js';
import { applyScript, type StepDone, type StepRun } from './apply-script.js';
import type { MigrateContext } from './context.js';
import { CREATE_MIRROR, forgetMigration, forgetMirror, recordMigration, recordMirror } from './history-sql.js';
import { findProgress } from './read-history.js';
import { type LockedHistory, withTenantLock } from './tenant-lock.js';

/** Every file is looked through before the first statement is sent. */
export async function applyMigrations(
  context: MigrateContext,
  steps: readonly LocalMigration[],
  options: ApplyOptions,
): Promise<readonly AppliedMigration[]> {
  for (const { up } of steps) if (up.type === 'sql') checkMysqlScript(up);
  const { runId } = context.deps.options;
  const applied: AppliedMigration[] = [];
  await withTenantLock(context, options, async (locked) => {
    for (const [index, migration] of steps.entries()) {
      const { name, checksum, mirror, up } = migration;
      const record = [...(mirror === undefined ? [] : recordMirror(mirror, 'applied')), recordMigration(migration, runId)];
      const { ms, at } = await runStep(context, up, toRun(migration, 'up', locked, index === 0, record), options);
      applied.push({ name, checksum, appliedAt: at, durationMs: ms, runId });
      options.onMigration({ name, ms });
    }
  });
  return applied;
}

/** @throws TenancyError `TENANCY_MIGRATION_IRREVERSIBLE`, before anything runs, where one has no down script. */
export async function revertMigrations(context: MigrateContext, steps: readonly LocalMigration[], options: ApplyOptions): Promise<void> {
  const irreversible = steps.filter(({ down }) => down === null);
  if (irreversible.length > 0)
    throw new TenancyError('TENANCY_MIGRATION_IRREVERSIBLE', { migrations: irreversible.map(({ name }) => name) });
  for (const { down } of steps) if (down?.type === 'sql') checkMysqlScript(down);
  await withTenantLock(context, options, async (locked) => {
    for (const [index, migration] of steps.entries()) {
      const { name, mirror, down } = migration;
      if (down === null) continue;
      const record = [...(mirror === undefined ? [] : [forgetMirror(mirror)]), forgetMigration(name)];
      const { ms } = await runStep(context, down, toRun(migration, 'down', locked, index === 0, record), options);
      options.onMigration({ name, ms });
    }
  });
}

export function runStep(
  context: MigrateContext,
  script: MigrationScript,
  run: StepRun,
  options: Pick<ApplyOptions, 'tenant' | 'log'>,
): Promise<StepDone> {
  return script.type === 'sql' ? applyScript(context, run, script, options) : applyModule(context, run, script, options);
}

function toRun(
  migration: LocalMigration,
  direction: 'up' | 'down',
  { state, applied }: LockedHistory,
  isFirst: boolean,
  record: readonly string[],
): StepRun {
  // Only the first can be what was interrupted; what comes behind it has not begun.
  const progress = isFirst ? findProgress(state, 'progress') : null;
  return {
    migration,
    direction,
    progressType: 'progress',
    progress,
    isApplied: progress !== null && applied.some(({ name }) => name === progress.name),
    prepare: migration.mirror === undefined ? [] : [CREATE_MIRROR],
    record,
  };
}
