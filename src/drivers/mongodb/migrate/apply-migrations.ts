import { TenancyError } from '../../../errors.js';
import type { AppliedMigration, LocalMigration, MigrationScript } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import type { RecordStep } from './apply-alone.js';
import { applyStep } from './apply-step.js';
import type { MigrateContext } from './context.js';
import { readGuarded, toApplied, withMigrations, withoutMigration } from './history.js';
import type { ModuleScript } from './run-module.js';

export async function applyMigrations(
  migrate: MigrateContext,
  steps: readonly LocalMigration[],
  options: ApplyOptions,
): Promise<AppliedMigration[]> {
  const scripts = steps.map(({ up }) => requireModule(up));
  let home = await readGuarded(migrate, options);
  const applied: AppliedMigration[] = [];
  for (const [index, { name, checksum }] of steps.entries()) {
    const script = scripts[index] as ModuleScript;
    migrate.options.signal.throwIfAborted();
    if (home.migrations.some((migration) => migration.name === name)) throw new TenancyError('TENANCY_HISTORY_MOVED', options);
    const record: RecordStep = (durationMs) => ({
      migrations: withMigrations([{ name, checksum, durationMs, runId: migrate.options.runId }]),
    });
    const done = await applyStep(migrate, { name, checksum, script, direction: 'up', isSeed: false }, record, options, home);
    home = done.home;
    const row = home.migrations.at(-1);
    if (row !== undefined) applied.push(toApplied(row));
    options.onMigration({ name, ms: done.durationMs });
  }
  return applied;
}

/** @throws TenancyError `TENANCY_MIGRATION_IRREVERSIBLE`, before anything runs, where one has no way down. */
export async function revertMigrations(migrate: MigrateContext, steps: readonly LocalMigration[], options: ApplyOptions): Promise<void> {
  const irreversible = steps.filter(({ down }) => down === null);
  if (irreversible.length > 0)
    throw new TenancyError('TENANCY_MIGRATION_IRREVERSIBLE', { migrations: irreversible.map(({ name }) => name) });
  const downs = steps.flatMap(({ name, checksum, down }) => (down === null ? [] : [{ name, checksum, script: requireModule(down) }]));
  let home = await readGuarded(migrate, options);
  for (const { name, checksum, script } of downs) {
    migrate.options.signal.throwIfAborted();
    const record: RecordStep = () => ({ migrations: withoutMigration(name) });
    const done = await applyStep(migrate, { name, checksum, script, direction: 'down', isSeed: false }, record, options, home);
    home = done.home;
    options.onMigration({ name, ms: done.durationMs });
  }
}

/** Told before anything is connected to as well; a script that comes from elsewhere ends here. */
export function requireModule(script: MigrationScript): ModuleScript {
  if (script.type === 'module') return script;
  throw new TenancyError('TENANCY_MIGRATION_SQL_REFUSED', { file: script.file, driver: 'mongodb-database' });
}
