import { TenancyError } from '../errors.js';
import type { TenantStatus } from '../tenant.js';
import type { DeclaredMigrations } from './adopt.js';
import { refuseLostHistory } from './lost-history.js';
import { nextOfLeaving } from './retained.js';
import type { TenantScope, WorkResult } from './run-context.js';
import { sessionOptions } from './session-options.js';
import { runStep } from './steps.js';
import { MIGRATABLE } from './transitions.js';

const REPAIRABLE: readonly TenantStatus[] = [...MIGRATABLE, 'provisioning', 'failed'];

/** What only a person can know. */
export interface RepairAnswers {
  /** Of a statement that was interrupted and can't be probed: `applied` counts it as done, `rerun` sends it again with the next migrate. */
  readonly statement: 'applied' | 'rerun' | null;
  /** Of a tenant whose history was lost: the migrations that it has; null: not said. */
  readonly declared: DeclaredMigrations | null;
}

/** Brings the registry's record of a tenant in line with the tenant, after settling what can't be read from it. */
export async function repairTenant(scope: TenantScope, { statement: answer, declared }: RepairAnswers): Promise<WorkResult> {
  const { run, tenant, driver, target, fence, signal } = scope;
  if (!REPAIRABLE.includes(tenant.status)) {
    const next = nextOfLeaving(tenant) ?? `see \`tenancy tenant show ${tenant.id}\``;
    throw new TenancyError('TENANCY_STATE_REFUSED', { tenant: tenant.id, status: tenant.status, command: 'repaired', next });
  }
  let result: WorkResult = { outcome: 'up-to-date', from: tenant.schemaVersion, to: tenant.schemaVersion };
  await runStep(scope, 'repair', async () => {
    const presence = await driver.probe(target);
    // One that is there and isn't ours is refused by the session, which says whose it is.
    if (presence.status === 'absent' || presence.status === 'partial') {
      throw new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster });
    }
    const details: string[] = [];
    const history = await driver.withSession(target, sessionOptions(scope), async (session) => {
      const before = await session.readHistory();
      if (before.applied.length === 0 && declared !== null) {
        await session.recordApplied(declared);
        details.push(`recorded as applied: ${declared.at(-1)?.name ?? 'nothing'}`);
        return session.readHistory();
      }
      refuseLostHistory(tenant, before);
      if (before.progress?.state !== 'started') return before;
      if (answer === null) {
        const { name, statementsDone } = before.progress;
        throw new TenancyError('TENANCY_REPAIR_UNDECIDED', { tenant: tenant.id, migration: name, statement: statementsDone + 1 });
      }
      await session.resolveProgress(answer);
      details.push(
        `statement ${before.progress.statementsDone + 1} of ${before.progress.name}: ${answer === 'applied' ? 'counted as done' : 'will be sent again'}`,
      );
      return session.readHistory();
    });

    // What was granted may have been taken away by hand, or be missing on what another login has made.
    if (tenant.login !== null && tenant.status === 'active') await driver.logins?.grant(target, signal);

    const migrator = run.migrator.forDriver(tenant.driver);
    const version = migrator.describe(history.applied);
    const isStale = version.schemaVersion !== tenant.schemaVersion || version.migrationsHash !== tenant.migrationsHash;
    if (isStale && migrator.type === 'built-in')
      details.push(`recorded version ${tenant.schemaVersion ?? 'none'} → ${version.schemaVersion ?? 'none'}`);
    if (details.length === 0 && !tenant.lastError) return { status: 'done-before' };
    const changed = await run.changeTenant({
      id: tenant.id,
      fence,
      from: REPAIRABLE,
      set: { lastError: null, ...(migrator.type === 'built-in' ? version : {}) },
      runId: run.runId,
      event: 'tenant.repaired',
    });
    if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
    result = { outcome: 'applied', from: tenant.schemaVersion, to: version.schemaVersion };
    return { detail: details.join('; ') || 'last error cleared' };
  });
  return result;
}
