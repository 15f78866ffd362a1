import { TenancyError } from '../errors.js';
import type { LocalMigration, TenantHistory, TenantMigrationPlan } from './migration.js';
import type { MigrationDrift } from './plan-drift.js';
import { checkProgress } from './plan-progress.js';

export interface RollbackInput {
  readonly local: readonly LocalMigration[];
  readonly history: TenantHistory;
  /** The newest that stays applied; null: nothing does. */
  readonly target: string | null;
}

/** Everything newer than the target goes, the last applied first. */
export function planRollback({ local, history, target }: RollbackInput, drift: MigrationDrift): TenantMigrationPlan {
  const { order, newestApplied } = drift;
  const applied = history.applied.map(({ name }) => name);
  if (target !== null && !applied.includes(target)) {
    const reason = `${target} is not applied, so there is nothing to go back to`;
    throw new TenancyError('TENANCY_MIGRATION_TARGET_UNKNOWN', { to: target, reason, suggestion: newestApplied });
  }
  const doomed = applied.filter((name) => target === null || order(name, target) > 0).reverse();
  const steps = resolveSteps(doomed, local);
  if (history.progress !== null && history.progress.isSeed !== true)
    checkProgress(history.progress, steps[0] ?? null, 'down', applied.includes(history.progress.name), null);
  return { direction: 'down', from: newestApplied, to: target, steps, ahead: drift.ahead };
}

function resolveSteps(names: readonly string[], local: readonly LocalMigration[]): readonly LocalMigration[] {
  const files = new Map(local.map((migration) => [migration.name, migration]));
  const gone = names.filter((name) => !files.has(name));
  if (gone.length > 0) {
    const reason = 'not among the local files: roll back with the code that has them';
    throw new TenancyError('TENANCY_MIGRATION_IRREVERSIBLE', { migrations: gone, reason });
  }
  const steps = names.flatMap((name) => files.get(name) ?? []);
  const irreversible = steps.filter(({ down }) => down === null).map(({ name }) => name);
  if (irreversible.length > 0) throw new TenancyError('TENANCY_MIGRATION_IRREVERSIBLE', { migrations: irreversible });
  return steps;
}
