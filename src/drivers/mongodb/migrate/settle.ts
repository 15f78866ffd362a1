import type { MigrateContext } from './context.js';
import { changeHome, type HomeChange, readGuarded, withMigrations, withSeed } from './history.js';

/** Writes the history of what is there already. What is recorded stays as it is. */
export async function recordApplied(
  migrate: MigrateContext,
  migrations: readonly { readonly name: string; readonly checksum: string }[],
): Promise<void> {
  const { tenant } = migrate.target.marker;
  const home = await readGuarded(migrate, { tenant, expectedDigest: null });
  const missing = migrations.filter(({ name }) => !home.migrations.some((applied) => applied.name === name));
  const rows = missing.map(({ name, checksum }) => ({ name, checksum, durationMs: 0, runId: migrate.options.runId }));
  await changeHome(migrate, { tenant, home, change: { migrations: withMigrations(rows) } });
}

/** Settles the module that was interrupted; without one there is nothing to do. */
export async function resolveProgress(migrate: MigrateContext, answer: 'applied' | 'rerun'): Promise<void> {
  const { tenant } = migrate.target.marker;
  const home = await readGuarded(migrate, { tenant, expectedDigest: null });
  const { progress } = home;
  if (progress === null || progress.state !== 'started') return;
  const isDone = answer === 'applied';
  const { name, checksum } = progress;
  const change: HomeChange = progress.isSeed
    ? { progress: null, ...(isDone ? { seeds: withSeed({ name, checksum }) } : {}) }
    : { progress: { ...progress, statementsDone: isDone ? 1 : 0, state: 'between' } };
  await changeHome(migrate, { tenant, home, change });
}
