import type { LocalMigration } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import { applyModule } from './apply-module.js';
import { applyModuleAlone } from './apply-module-alone.js';
import { applyScripts } from './apply-scripts.js';
import { applyStatements } from './apply-statements.js';
import type { MigrateContext } from './context.js';
import { ensureExtension } from './extensions.js';
import { createModuleFailure, explain, isStatementError } from './failure.js';
import { EMPTY_DIGEST } from './history-sql.js';
import type { ScriptUnit } from './message.js';
import type { Segment } from './steps.js';

export interface SegmentsRun {
  readonly direction: 'up' | 'down';
  /** The change of the history that goes with a migration; `isStepwise`: it was carried out statement by statement. */
  record(migration: LocalMigration, isStepwise: boolean, nth: number): string;
  /** With the row that `record` gave. */
  onDone(migration: LocalMigration, row: readonly (string | null)[]): void;
}

export async function runSegments(
  context: MigrateContext,
  segments: readonly Segment[],
  run: SegmentsRun,
  options: ApplyOptions,
): Promise<void> {
  let current = options;
  for (const segment of segments) {
    if (segment.type === 'extension') await runExtension(context, segment, options);
    else {
      await runSegment(context, segment, run, current);
      // What the caller planned on was the history before any of ours.
      current = { ...options, expectedDigest: null };
    }
  }
}

async function runSegment(
  context: MigrateContext,
  segment: Exclude<Segment, { type: 'extension' }>,
  run: SegmentsRun,
  options: ApplyOptions,
): Promise<void> {
  const isFirst = options.expectedDigest === EMPTY_DIGEST;
  const { direction } = run;
  switch (segment.type) {
    case 'scripts': {
      const migrations = new Map<ScriptUnit, LocalMigration>(
        segment.steps.map(({ migration, prepared }) => [
          { name: migration.name, prepared, record: (nth) => run.record(migration, false, nth), checksFence: direction === 'up' },
          migration,
        ]),
      );
      const onCommit = (unit: ScriptUnit, row: readonly (string | null)[]): void => {
        const migration = migrations.get(unit);
        if (migration) run.onDone(migration, row);
      };
      await applyScripts(context, [...migrations.keys()], {
        tenant: options.tenant,
        expectedDigest: options.expectedDigest,
        isFirst,
        onCommit,
      });
      return;
    }
    case 'statements': {
      const { migration, prepared } = segment;
      run.onDone(
        migration,
        await applyStatements(context, { migration, prepared, direction, record: run.record(migration, true, 1), isFirst }, options),
      );
      return;
    }
    case 'module': {
      const { migration, script } = segment;
      const module = { migration, script, direction, record: run.record(migration, !script.isTransactional, 1), isFirst };
      run.onDone(
        migration,
        script.isTransactional ? await applyModule(context, module, options) : await applyModuleAlone(context, module, options),
      );
      return;
    }
  }
}

async function runExtension(
  context: MigrateContext,
  { migration, file, extension }: Extract<Segment, { type: 'extension' }>,
  options: ApplyOptions,
): Promise<void> {
  try {
    await ensureExtension(context, extension, options.log);
  } catch (error) {
    if (!isStatementError(error)) throw error;
    throw createModuleFailure({
      tenant: options.tenant,
      migration: migration.name,
      file,
      limits: context.deps.options,
      reason: `extension ${extension.name}: ${explain(error)}`,
      cause: error,
    });
  }
}
