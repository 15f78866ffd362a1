import type { LoginCredential } from '../drivers/driver.js';
import { TenancyError } from '../errors.js';
import type { StepName } from '../events.js';
import type { Tenant } from '../tenant.js';
import { createHookContext, runHook, withHooks } from './hook-context.js';
import { locateTenant } from './locate.js';
import { announceLogin, isIsolated, makeLogin, readCredential } from './logins.js';
import { makeHome, ownCreateHook } from './make-home.js';
import type { DriverMigrator, RecordedHistory } from './migrator.js';
import { FINISH_ADOPT, FINISH_RESTORE, nextOfLeaving } from './retained.js';
import type { RunContext, TenantScope, WorkResult } from './run-context.js';
import { sessionOptions } from './session-options.js';
import { noJournal, runStep, runStepOnce } from './steps.js';
import { TRANSITIONS } from './transitions.js';

export const PROVISION_STEPS: readonly StepName[] = ['create', 'create-login', 'migrate', 'seed', 'verify', 'activate'];

/** Why a registered tenant can't be provisioned (again); null where it can, or already is. */
export function findProvisionObstacle(tenant: Tenant): TenancyError | null {
  const refuse = (next: string): TenancyError =>
    new TenancyError('TENANCY_STATE_REFUSED', { tenant: tenant.id, status: tenant.status, command: 'provisioned', next });
  if (tenant.status === 'suspended') return refuse(`it is provisioned already; \`tenancy tenant resume ${tenant.id}\` gives access back`);
  const leaving = tenant.status === 'deprovisioned' ? null : nextOfLeaving(tenant);
  if (leaving !== null) return refuse(leaving);
  if (tenant.operation?.type === 'restore' && tenant.status !== 'active') return refuse(FINISH_RESTORE);
  if (tenant.operation?.type === 'adopt') return refuse(FINISH_ADOPT);
  return null;
}

/**
 * register (done before) → create → create login → migrate → seed → verify → activate.
 *
 * The login comes before the migrations, so that what these make is given to it as they make it.
 *
 * Each step may be repeated: create adopts what carries our marker, migrate and seed are recorded in the tenant itself,
 * and a step of a hook that the journal knows as done is left out.
 */
export async function provisionTenant(scope: TenantScope): Promise<WorkResult> {
  const { run, tenant } = scope;
  const migrator = run.migrator.forDriver(tenant.driver);
  const obstacle = findProvisionObstacle(tenant);
  if (obstacle) throw obstacle;
  if (tenant.status === 'active') return { outcome: 'up-to-date', from: tenant.schemaVersion, to: tenant.schemaVersion };

  await migrator.check(tenant.driver);
  // While the journal is written, and while we look at what there is; nothing is made before it has come through.
  const begun = begin(scope);
  begun.catch(() => undefined);
  let own = scope;
  const context = () => createHookContext(own, { from: tenant.schemaVersion, to: migrator.target });

  let known: RecordedHistory | null = null;
  await runStepOnce(scope, 'create', async () => {
    const create = ownCreateHook(run.config, tenant.driver);
    if (create !== null || run.config.hooks.beforeCreate !== undefined) await begun;
    let detail: string = 'adopted';
    await withHooks(scope, 'Create', context, async () => {
      if (create) {
        await runHook(scope, 'create', create, context);
        await checkMade(scope);
      } else {
        const made = await makeHome(scope, begun);
        detail = made.how;
        known = made.known;
      }
    });
    return create ? {} : { detail, status: detail === 'adopted' ? 'done-before' : 'done' };
  });

  await begun;
  let credential: LoginCredential | null = null;
  if (isIsolated(run.config, tenant.cluster)) {
    await runStepOnce(scope, 'create-login', async () => {
      const made = await makeLogin(scope, { from: ['provisioning'], isFirst: true });
      await announceLogin(scope, ['provisioning'], made);
      credential = made.credential;
      own = { ...scope, tenant: { ...tenant, login: made.login, credentialRef: made.credentialRef } };
      return { detail: `${made.credential.name}, ${made.credentialRef}` };
    });
  }
  // What was just made from a complete home has nothing left that a later attempt could go on with.
  const rest: TenantScope = known !== null && isComplete(migrator, known) ? { ...scope, steps: noJournal } : scope;
  let migrated: WorkResult = { outcome: 'up-to-date', from: null, to: null };
  if (migrator.type !== 'none') {
    await runStep(rest, 'migrate', async () => {
      migrated = await migrator.migrate(scope, { isNew: true, known, onVersion: () => undefined });
      if (migrated.error) throw migrated.error;
      if (migrated.outcome === 'up-to-date') return { status: 'done-before', detail: migrated.to ?? '' };
      return { detail: migrated.to ?? '' };
    });
  }

  const { seed, verify } = run.config.hooks;
  if (seed.length > 0) {
    await runStepOnce(scope, 'seed', () =>
      withHooks(scope, 'Seed', context, async () => {
        for (const hook of seed) await runHook(scope, 'seed', hook, context);
      }),
    );
  }

  await runStep(rest, 'verify', async () => {
    // One that this attempt has made, complete, and given its name to a moment ago need not be looked at.
    if (rest === scope || hasHooks(run) || seed.length > 0) await verifyHome(scope, migrated);
    if (own.tenant.login !== null) await verifyLogin(own, credential);
    await withHooks(scope, 'Verify', context, () => runHook(scope, 'verify', verify, context));
  });

  await scope.steps.flush();
  // Not journaled: the change of state ends the operation, and nothing may be left to be written behind it.
  await runStep({ ...scope, steps: noJournal }, 'activate', () => activate(scope, migrated));
  run.emit(locateTenant(scope));
  return { ...migrated, outcome: 'applied', from: tenant.schemaVersion };
}

async function begin({ run, tenant, fence }: TenantScope): Promise<void> {
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS['provision.begin'],
    runId: run.runId,
    event: tenant.status === 'pending' ? 'tenant.provisioning' : 'tenant.provisioning-resumed',
  });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}

/** A create hook of the user's may end well and have made nothing, or a home that nobody could tell for ours later. */
async function checkMade({ tenant, driver, target }: TenantScope): Promise<void> {
  const { status } = await driver.probe(target);
  if (status === 'ours') return;
  const found = status === 'absent' ? `made nothing: there is no ${tenant.name}` : `left ${tenant.name} without our marker`;
  const reason = `it ended well, but ${found} on cluster ${tenant.cluster} (\`await ctx.driver.create()\` makes and marks it)`;
  throw new TenancyError('TENANCY_HOOK_FAILED', { tenant: tenant.id, hook: 'create', reason });
}

/** They may have done anything to it. */
function hasHooks({ config: { hooks } }: RunContext): boolean {
  return [hooks.afterCreate, hooks.beforeMigrate, hooks.afterMigrate, hooks.beforeSeed, hooks.afterSeed].some((hook) => hook !== undefined);
}

/** The home that was made has all that there is to have. */
function isComplete({ targetDigest }: DriverMigrator, { migrationsHash }: RecordedHistory): boolean {
  return targetDigest !== null && migrationsHash === targetDigest;
}

/** The home is there and ours, and, with the built-in migrator, its own history says what we believe. */
async function verifyHome(scope: TenantScope, migrated: WorkResult): Promise<void> {
  const { run, tenant, driver, target } = scope;
  const presence = await driver.probe(target, { isFromOutside: true });
  if (presence.status !== 'ours') {
    throw new TenancyError('TENANCY_HOME_MISSING', { tenant: tenant.id, name: tenant.name, cluster: tenant.cluster });
  }
  if (run.migrator.forDriver(tenant.driver).type !== 'built-in') return;
  const { applied } = await driver.withSession(target, sessionOptions(scope), (session) => session.readHistory());
  if (migrated.to !== null && !applied.some(({ name }) => name === migrated.to)) {
    const found = applied.at(-1)?.name ?? null;
    throw new TenancyError('TENANCY_VERSION_UNVERIFIED', { tenant: tenant.id, expected: migrated.to, found });
  }
}

/** It can log in, and sees its own home and no other. Of an earlier attempt's, the password is read from where it was stored. */
async function verifyLogin({ run, tenant, driver, target, signal }: TenantScope, made: LoginCredential | null): Promise<void> {
  await driver.logins?.check(target, made ?? (await readCredential(run.config, tenant)), signal);
}

async function activate({ run, tenant, fence }: TenantScope, { version, to }: WorkResult): Promise<void> {
  const changed = await run.changeTenant({
    id: tenant.id,
    fence,
    ...TRANSITIONS['provision.activate'],
    set: { ...(version ?? { schemaVersion: to }), operation: null, lastError: null },
    runId: run.runId,
    event: 'tenant.activated',
  });
  if (!changed) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: tenant.id });
}
