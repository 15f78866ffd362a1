import type { ResolvedConfig } from '../../config/types.js';
import type { BackupTools, LoginCredential } from '../../drivers/driver.js';
import { TenancyError } from '../../errors.js';
import type { StepName } from '../../events.js';
import type { Tenant } from '../../tenant.js';
import { createHookContext, runHook, withHooks } from '../hook-context.js';
import { locateTenant } from '../locate.js';
import { announceLogin, isIsolated, makeLogin } from '../logins.js';
import { nextOfLeaving, nextOfUnfinished } from '../retained.js';
import type { TenantScope, WorkResult } from '../run-context.js';
import { sessionOptions } from '../session-options.js';
import { noJournal, runStep } from '../steps.js';
import { TRANSITIONS } from '../transitions.js';
import { requireBackups } from './back-up.js';
import type { FoundBackup } from './find-backup.js';
import { withScratch } from './scratch.js';

export function listRestoreSteps(config: ResolvedConfig, cluster: string): readonly StepName[] {
  const login = isIsolated(config, cluster) ? (['create-login'] as const) : [];
  return ['create', 'load', ...login, 'verify', 'activate'];
}

/** Why a backup can't be restored as this tenant; null where it can: the id is nobody's, or its restore was interrupted. */
export function findRestoreObstacle(tenant: Tenant, of: string): TenancyError | null {
  const { id, status, operation } = tenant;
  const refuse = (reason: string, next: string): TenancyError => new TenancyError('TENANCY_RESTORE_REFUSED', { tenant: id, reason, next });
  if (status === 'deprovisioned') return null;
  if (operation?.type === 'restore' && status !== 'active') return null;
  const other = `restore it under another id beside it: \`tenancy tenant restore ${of} --as <other>\``;
  if (status === 'retained')
    return refuse('it is retained, and what is kept of it would be overwritten', `${nextOfLeaving(tenant)}; or ${other}`);
  if (status === 'active' || status === 'suspended') {
    return refuse(
      `it is ${status}, and whatever is in its home would be overwritten`,
      `${other}; or remove it first, also where its home is gone already: \`tenancy tenant deprovision ${id} --retain none\``,
    );
  }
  return refuse(`it is ${status}, in the middle of ${describeOperation(tenant)}`, `${nextOfUnfinished(tenant)}; or ${other}`);
}

function describeOperation({ operation, retainedUntil }: Tenant): string {
  if (operation?.type === 'adopt') return 'an adopt';
  if (operation?.type !== 'deprovision') return 'a provision';
  return retainedUntil === null ? 'a deprovision' : 'a purge';
}

/**
 * register (done before) → create → load → create login → verify → activate. The login is given what was loaded.
 *
 * Repeated after a kill, what had been made is dropped and made again: nobody can tell how much of it was loaded. Only `activate` makes a tenant of it.
 */
export async function restoreTenant(scope: TenantScope, backup: FoundBackup, tools: BackupTools): Promise<WorkResult> {
  const { run, tenant, driver, target, fence, signal } = scope;
  const backups = requireBackups(driver);
  const migrator = run.migrator.forDriver(tenant.driver);
  let own = scope;
  const context = () => createHookContext(own, { from: null, to: null });
  await begin(scope);

  await runStep(scope, 'create', async () => {
    await run.leases.confirm(tenant.id);
    // First: what still writes would write into what is made now.
    await backups.sweep(target, signal);
    await backups.sweepLoaded?.(target, signal);
    const presence = await driver.probe(target, { isFromOutside: true });
    if (presence.status === 'ours' || presence.status === 'partial') await driver.drop(target, signal);
    return { detail: await driver.create(target, signal) };
  });

  await runStep(scope, 'load', async () => {
    const source = { path: backup.path, name: backup.manifest.name };
    await withScratch(scope, (scratch) =>
      backups.restore(target, source, {
        tools,
        scratch,
        lockTimeoutMs: run.limits.lockTimeoutMs,
        signal,
        fence,
        log: (text) => scope.log(text),
      }),
    );
    return { detail: `${backup.manifest.id} of ${backup.manifest.at}` };
  });

  let credential: LoginCredential | null = null;
  if (isIsolated(run.config, tenant.cluster)) {
    await runStep(scope, 'create-login', async () => {
      const made = await makeLogin(scope, { from: ['provisioning'], isFirst: true });
      await announceLogin(scope, ['provisioning'], made);
      credential = made.credential;
      own = { ...scope, tenant: { ...tenant, login: made.login, credentialRef: made.credentialRef } };
      return { detail: `${made.credential.name}, ${made.credentialRef}` };
    });
  }

  let version = { schemaVersion: backup.manifest.schemaVersion, migrationsHash: backup.manifest.migrationsHash };
  await runStep(scope, 'verify', async () => {
    const presence = await driver.probe(target, { isFromOutside: true });
    if (presence.status !== 'ours') {
      throw new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster });
    }
    if (migrator.type !== 'foreign') {
      const { applied } = await driver.withSession(target, sessionOptions(scope), (session) => session.readHistory());
      version = migrator.describe(applied);
    }
    if (credential !== null) await driver.logins?.check(target, credential, signal);
    await withHooks(scope, 'Verify', context, () => runHook(scope, 'verify', run.config.hooks.verify, context));
    return { detail: version.schemaVersion ?? 'no version' };
  });

  await scope.steps.flush();
  // Not journaled: the change of state ends the operation, and nothing may be left to be written behind it.
  await runStep({ ...scope, steps: noJournal }, 'activate', async () => {
    const set = { ...version, operation: null, lastError: null };
    const changed = await run.changeTenant({
      id: tenant.id,
      fence,
      ...TRANSITIONS['restore.activate'],
      set,
      runId: run.runId,
      event: 'tenant.restored',
    });
    if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
  });
  run.emit(locateTenant(own));
  return { outcome: 'applied', from: null, to: version.schemaVersion };
}

async function begin({ run, tenant, fence }: TenantScope): Promise<void> {
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS['restore.begin'],
    runId: run.runId,
    event: tenant.status === 'pending' ? 'tenant.restoring' : 'tenant.restoring-resumed',
  });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}
