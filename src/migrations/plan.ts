import { TenancyError } from '../errors.js';
import type { LocalMigration, TenantHistory, TenantMigrationPlan } from './migration.js';
import { findDrift, type MigrationDrift } from './plan-drift.js';
import { checkProgress } from './plan-progress.js';
import { planRollback } from './plan-rollback.js';
import { resolveTarget } from './plan-target.js';

export { resolveTarget };

export interface PlanInput {
  /** Oldest first, as `loadMigrations` gives them. */
  readonly local: readonly LocalMigration[];
  readonly history: TenantHistory;
  readonly direction: 'up' | 'down';
  /** As `resolveTarget` takes or gives it. Null: up, all of them; down, nothing stays applied. */
  readonly to: string | null;
  readonly allowOutOfOrder: boolean;
}

/**
 * Says what has to be done to one tenant, or why it can't be done safely. Pure: nothing is read or written.
 * @throws TenancyError `TENANCY_MIGRATION_EDITED`, `TENANCY_MIGRATION_MISSING`, `TENANCY_MIGRATION_OUT_OF_ORDER`,
 * `TENANCY_MIGRATION_PROGRESS_DRIFTED`, `TENANCY_MIGRATION_IRREVERSIBLE`, `TENANCY_MIGRATION_TARGET_UNKNOWN`, `TENANCY_MIGRATION_TARGET_OLDER`;
 * each names every migration that it is about.
 */
export function planMigrations(input: PlanInput): TenantMigrationPlan {
  const { local, history, direction, to, allowOutOfOrder } = input;
  // A mistyped version is the same mistake for every tenant: it is told before a tenant's own trouble.
  const target = to === null && direction === 'down' ? null : resolveTarget(local, to, direction);
  const drift = findDrift(local, history);
  refuseDrift(local, history, drift);
  if (direction === 'down') return planRollback({ local, history, target }, drift);
  const pending = orderPending(history, drift, allowOutOfOrder);
  if (history.progress !== null && history.progress.isSeed !== true) {
    const isApplied = history.applied.some(({ name }) => name === history.progress?.name);
    const [first] = pending;
    checkProgress(history.progress, first ?? null, 'up', isApplied, first?.up.type === 'module' ? [first.checksum] : null);
  }
  return planUp(input, pending, target, drift);
}

function planUp(
  { local, allowOutOfOrder }: PlanInput,
  pending: readonly LocalMigration[],
  target: string | null,
  drift: MigrationDrift,
): TenantMigrationPlan {
  const { newestApplied, order, ahead } = drift;
  // Below an `ahead` tenant the newest file is no step back: the warning says what is to be said.
  const isStepBack = target !== null && newestApplied !== null && target !== local.at(-1)?.name && order(target, newestApplied) < 0;
  // Whoever lets late ones in may name one, and may run the same command again.
  if (isStepBack && !allowOutOfOrder) throw new TenancyError('TENANCY_MIGRATION_TARGET_OLDER', { to: target, current: newestApplied });
  const steps = pending.filter(({ name }) => target !== null && order(name, target) <= 0);
  const to = steps.reduce<string | null>((best, { name }) => (best === null || order(name, best) > 0 ? name : best), newestApplied);
  return { direction: 'up', from: newestApplied, to, steps, ahead };
}

/** What was interrupted half way goes before one that has come in below it: it can't be undone to wait its turn. */
function orderPending({ progress }: TenantHistory, drift: MigrationDrift, allowOutOfOrder: boolean): readonly LocalMigration[] {
  const { pending, outOfOrder, newestApplied } = drift;
  if (!allowOutOfOrder) {
    if (outOfOrder.length === 0 || newestApplied === null) return pending;
    throw new TenancyError('TENANCY_MIGRATION_OUT_OF_ORDER', { migrations: outOfOrder, newestApplied });
  }
  const isInterrupted = ({ name }: LocalMigration): boolean => name === progress?.name;
  return [...pending.filter(isInterrupted), ...pending.filter((migration) => !isInterrupted(migration))];
}

function refuseDrift(local: readonly LocalMigration[], history: TenantHistory, { edited, missing, pending }: MigrationDrift): void {
  if (edited.length > 0) {
    const files = local.filter(({ name }) => edited.includes(name)).map(({ file }) => file);
    throw new TenancyError('TENANCY_MIGRATION_EDITED', { migrations: edited, files });
  }
  if (missing.length === 0) return;
  const renamed = history.applied
    .filter(({ name }) => missing.includes(name))
    .flatMap(({ name, checksum }) => pending.filter((file) => file.checksum === checksum).map((file) => ({ from: name, to: file.name })));
  throw new TenancyError('TENANCY_MIGRATION_MISSING', { migrations: missing, renamed });
}
