import type { TenantSession } from '../drivers/driver.js';
import { isTenancyError, TenancyError } from '../errors.js';
import { historyDigest } from '../migrations/history-digest.js';
import type { TenantMigrationPlan } from '../migrations/migration.js';
import type { OnVersion } from './migrator.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { touch } from './touches.js';
import { MIGRATABLE } from './transitions.js';

export interface ApplyOverOptions {
  /** What the plan was made over. */
  readonly before: readonly { readonly name: string; readonly checksum: string }[];
  readonly onVersion: OnVersion;
  readonly publicTo: 'tenant' | null;
}

/** Carries a plan out in a tenant, tells each migration as it is done, and keeps up with the version that the tenant has. */
export async function applyOver(
  scope: TenantScope,
  session: TenantSession,
  plan: TenantMigrationPlan,
  { before, onVersion, publicTo }: ApplyOverOptions,
): Promise<WorkResult> {
  const { run, tenant } = scope;
  const present = new Map(before.map(({ name, checksum }) => [name, checksum]));
  const versionNow = (): Parameters<OnVersion>[0] =>
    run.migrator.forDriver(tenant.driver).describe([...present].map(([name, checksum]) => ({ name, checksum })));
  if (plan.steps.length === 0) return { outcome: 'up-to-date', from: plan.from, to: plan.to, version: versionNow() };

  const { cluster, driver, name } = tenant;
  const names = plan.steps.map((migration) => migration.name);
  const step = plan.direction === 'up' ? 'migrate' : 'rollback';
  run.emit({
    type: 'tenant.planned',
    tenant: tenant.id,
    cluster,
    driver,
    name,
    from: plan.from,
    to: plan.to,
    steps: [step],
    migrations: names,
  });

  if (plan.direction === 'down') await forgetVersion(scope, plan);
  const checksums = new Map(plan.steps.map(({ name, checksum }) => [name, checksum]));
  const done: string[] = [];
  const told = () => ({ what: step, migrations: done.map((name) => ({ name, checksum: checksums.get(name) ?? '' })) });
  const { applyPlan } = await import('../migrations/apply.js');
  try {
    await applyPlan(session, plan, {
      tenant: tenant.id,
      publicTo,
      expectedDigest: historyDigest(before),
      signal: scope.signal,
      log: (text) => scope.log(text),
      onMigration: ({ name, ms }) => {
        done.push(name);
        if (plan.direction === 'up') present.set(name, checksums.get(name) ?? '');
        else present.delete(name);
        run.emit({ type: 'migration.finished', tenant: tenant.id, migration: name, ms, direction: plan.direction });
      },
    });
  } catch (error) {
    if (done.length > 0) onVersion(versionNow());
    // Planned on what the tenant no longer was: nothing of it was carried out.
    if (!isTenancyError(error, 'TENANCY_HISTORY_MOVED')) touch(scope, { ...told(), isFailed: true });
    throw error;
  }
  touch(scope, told());
  return { outcome: 'applied', from: plan.from, to: plan.to, version: versionNow() };
}

/**
 * What the registry knows of a tenant is never more than the tenant has: else one whose rollback was killed on the way would be passed over by
 * the next `migrate`, as up to date. Without a digest it is looked into.
 */
async function forgetVersion({ run, tenant, fence }: TenantScope, { to }: TenantMigrationPlan): Promise<void> {
  const schemaVersion = to === null ? null : tenant.schemaVersion;
  const set = { schemaVersion, migrationsHash: null };
  const changed = await run.changeTenant({ id: tenant.id, fence, from: MIGRATABLE, set, runId: run.runId, event: 'tenant.reverting' });
  if (changed === null) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}
