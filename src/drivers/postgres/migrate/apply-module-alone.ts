import { isTenancyError, TenancyError } from '../../../errors.js';
import { checkProgress } from '../../../migrations/plan-progress.js';
import type { ApplyOptions } from '../../driver.js';
import { type ModuleRun, moduleFailure, runModule } from './apply-module.js';
import { quiet } from './apply-statements.js';
import type { MigrateContext } from './context.js';
import { readProgress } from './progress.js';
import { sendGuarded } from './transaction.js';

/**
 * Runs a module that asked to be outside of a transaction, each of its queries on its own.
 * One that failed may be run again; one whose process died on the way can't be told from one that was done.
 */
export async function applyModuleAlone(
  context: MigrateContext,
  run: ModuleRun & { readonly direction: 'up' | 'down' },
  options: ApplyOptions,
): Promise<readonly (string | null)[]> {
  const { migration, script, record, direction } = run;
  const { tenant } = options;
  const progress = await readProgress(context, options, run.isFirst);
  if (progress !== null) {
    checkProgress(progress, migration, direction, direction === 'down', [migration.checksum]);
    if (progress.state === 'started') {
      throw new TenancyError('TENANCY_MIGRATION_UNKNOWN', {
        tenant,
        migration: migration.name,
        file: script.file,
        line: 1,
        statement: `all of ${script.file}`,
      });
    }
  }
  if (progress === null || progress.statementsDone === 0) {
    const save = (state: 'started' | 'between'): Promise<void> =>
      sendGuarded(context, {
        ...quiet(options),
        statements: [context.sql.progress.set({ name: migration.name, checksum: migration.checksum, statementsDone: 0, state })],
        isCommitted: true,
      });
    await save('started');
    try {
      await runModule(context, script, context.deps.db, options);
    } catch (thrown) {
      const failure = moduleFailure({ tenant, migration, script, limits: context.deps.options, thrown });
      // After an abort it may be running on: then what it has done by the end isn't known.
      const isOver = failure !== thrown || isTenancyError(thrown);
      if (isOver && !context.deps.options.signal.aborted) await save('between');
      throw failure;
    }
  }
  let row: readonly (string | null)[] = [];
  await sendGuarded(context, {
    ...quiet(options),
    statements: [record, context.sql.progress.clear],
    isCommitted: true,
    onRow: (values) => {
      row = values;
    },
  });
  return row;
}
