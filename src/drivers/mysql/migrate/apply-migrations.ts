import { TenancyError } from '../../../errors.js';
import type { AppliedMigration, LocalMigration, MigrationScript } from '../../../migrations/migration.js';
import { checkMysqlScript } from '../../../migrations/sql/mysql/check.js';
import type { ApplyOptions } from '../../driver.js';
import { applyModule } from './apply-module.js';
import { applyScripts, type OnDone, type ScriptStep, type StepDone, type StepRun } from './apply-script.js';
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
    const tell: OnDone = ({ migration: { name, checksum } }, { ms, at }) => {
      applied.push({ name, checksum, appliedAt: at, durationMs: ms, runId });
      options.onMigration({ name, ms });
    };
    for (const group of groupSteps(steps, locked)) {
      const runs = group.map((migration) => {
        const { mirror } = migration;
        const record = [...(mirror === undefined ? [] : recordMirror(mirror, 'applied')), recordMigration(migration, runId)];
        return { run: toRun(migration, 'up', locked, migration === steps[0], record), script: migration.up };
      });
      await runSteps(context, runs, options, tell);
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

/**
 * What is carried out together: of a new tenant all files up to one that is a module. Otherwise each file by itself, which may take its time, and is
 * told when it is done.
 */
function groupSteps(steps: readonly LocalMigration[], { applied, state }: LockedHistory): LocalMigration[][] {
  const isNew = applied.length === 0 && findProgress(state, 'progress') === null;
  const groups: LocalMigration[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (isNew && step.up.type === 'sql' && last?.[0]?.up.type === 'sql') last.push(step);
    else groups.push([step]);
  }
  return groups;
}

type ScriptOptions = Pick<ApplyOptions, 'tenant' | 'log'>;

async function runSteps(
  context: MigrateContext,
  steps: readonly { readonly run: StepRun; readonly script: MigrationScript }[],
  options: ScriptOptions,
  onDone: OnDone,
): Promise<void> {
  const scripts: ScriptStep[] = [];
  for (const { run, script } of steps) {
    if (script.type === 'sql') scripts.push({ run, source: script });
    else onDone(run, await applyModule(context, run, script, options));
  }
  await applyScripts(context, scripts, options, onDone);
}

export async function runStep(context: MigrateContext, script: MigrationScript, run: StepRun, options: ScriptOptions): Promise<StepDone> {
  let done: StepDone = { ms: 0, at: new Date(0) };
  await runSteps(context, [{ run, script }], options, (_, its) => {
    done = its;
  });
  return done;
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
