import { TenancyError } from '../errors.js';
import type { LocalMigration } from '../migrations/migration.js';
import { readMirrored } from './adopt-mirror.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { sessionOptions } from './session-options.js';
import { runStep } from './steps.js';
import { touch } from './touches.js';
import { TRANSITIONS } from './transitions.js';

/** Migrations that are declared to be applied already, by whatever made the tenant. */
export type DeclaredMigrations = readonly Pick<LocalMigration, 'name' | 'checksum' | 'mirror'>[];

/**
 * Brings an existing schema or database in: marks it as ours, takes over the history it has, or one that is declared, or what Prisma has recorded, and
 * activates it. A history of our own is believed; a declaration never overwrites it.
 */
export async function adoptTenant(scope: TenantScope, declared: DeclaredMigrations): Promise<WorkResult> {
  const { run, tenant, driver, target, fence } = scope;
  if (tenant.status === 'active') return { outcome: 'up-to-date', from: tenant.schemaVersion, to: tenant.schemaVersion };
  await runStep(scope, 'mark', async () => {
    await driver.mark(target);
    return { detail: tenant.name };
  });
  const migrator = run.migrator.forDriver(tenant.driver);
  let version = migrator.describe([]);
  await runStep(scope, 'verify', async () => {
    const { applied } = await driver.withSession(target, sessionOptions(scope), async (session) => {
      const before = await session.readHistory();
      if (before.applied.length > 0) return before;
      const found = declared.length > 0 ? declared : await readMirrored(scope, session, migrator.declared);
      if (found.length === 0) return before;
      await session.recordApplied(found);
      touch(scope, { what: 'record', migrations: found.map(({ name, checksum }) => ({ name, checksum })) });
      return session.readHistory();
    });
    version = migrator.describe(applied);
    return { detail: version.schemaVersion ?? 'no history' };
  });
  await runStep(scope, 'activate', async () => {
    const changed = await run.changeTenant({
      id: tenant.id,
      fence,
      ...TRANSITIONS['adopt.activate'],
      set: { ...version, operation: null, lastError: null },
      runId: run.runId,
      event: 'tenant.adopted',
    });
    if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
  });
  await scope.steps.flush();
  return { outcome: 'applied', from: null, to: version.schemaVersion, version };
}
